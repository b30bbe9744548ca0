// A result taken apart and put together again: t and f3 are calls of one function.
import { appendFileSync } from 'node:fs';
import { split, task } from 'jugq';

const double = task(function double(xs: number[]): number[] {
  appendFileSync('ran.log', `double ${xs.join()}\n`);
  return xs.map((x) => 2 * x);
});

export const t = double([0, 1, 2]);
const [a, b, c] = split(t, 3);
export const items = [a, b, c];
export const f2 = double([a, b]);
export const f3 = double([2, 3, 4]);
export const same = double([0, 1, 2]);
