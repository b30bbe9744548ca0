/** A chain of stages over eight numbers; each execution leaves a line in ran.log. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

function ran(name: string): void {
  appendFileSync('ran.log', `${name}\n`);
}

const double = task(function double(x: number): number {
  ran('double');
  return 2 * x;
});
const plus1 = task(function plus1(x: number): number {
  ran('plus1');
  return x + 1;
});
const sum2 = task(function sum2(a: number, b: number): number {
  ran('sum2');
  return a + b;
});

export const values = [0, 1, 2, 3, 4, 5, 6, 7]
  .map((x) => double(x))
  .map((x) => plus1(x))
  .map((x) => sum2(x, 2))
  .map((x) => sum2(x, x));
