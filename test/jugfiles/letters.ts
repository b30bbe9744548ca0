/** `LETTER…`: fifty tasks of a function for each letter that is named, which write it into `ran.log`. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

function letter(name: string): (number: number) => unknown {
  return task(name, (number: number): string => {
    appendFileSync('ran.log', `${name}${number.toString()}\n`);
    return name;
  });
}

const letters: Record<string, (number: number) => unknown> = {
  a: letter('a'),
  b: letter('b'),
  c: letter('c'),
};

export default function main(names: string[]): void {
  for (const name of names) for (let number = 0; number < 50; number++) letters[name]?.(number);
}
