/** Takes the limit from its arguments: another limit is other tasks. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

const square = task(function square(x: number): number {
  appendFileSync('ran.log', `square ${x.toString()}\n`);
  return x * x;
});
const sum = task(function sum(xs: number[]): number {
  appendFileSync('ran.log', 'sum\n');
  return xs.reduce((a, b) => a + b, 0);
});

export default function plan(args: readonly string[]) {
  const limit = Number(args[0] ?? '3');
  const squares = Array.from({ length: limit }, (_, x) => square(x));
  return { total: sum(squares), args };
}
