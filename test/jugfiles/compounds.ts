/** Compounds: plain, nested, and one that waits for a value itself. */
import { appendFileSync } from 'node:fs';
import { compound, task, value, type Task } from 'jugq';

function note(text: string): void {
  appendFileSync('ran.log', `${text}\n`);
}

const double = task(function double(x: number): number {
  note(`double ${x.toString()}`);
  return 2 * x;
});
const tadd = task(function tadd(xs: number[]): number {
  return xs.reduce((sum, each) => sum + each, 0);
});
const twice = compound(function twice(x: number): Task<number>[] {
  note(`twice ${x.toString()}`);
  return [double(x), double(x)];
});
const around = compound('around', async (x: number) => {
  const known = await value(double(x + 100));
  note(`around ${known.toString()}`);
  return { inner: twice(x), known, last: double(known) };
});

export const eight = twice(4);
export const sixteen = tadd(eight);
export const nested = around(5);
