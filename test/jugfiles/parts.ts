// Parts of results: picked, split, derived. Each run of `double` and `sum2` leaves a line in ran.log.
import { appendFileSync } from 'node:fs';
import { derive, pick, task } from 'jugq';

const double = task(function double(xs: number[]): number[] {
  appendFileSync('ran.log', 'double\n');
  return xs.map((x) => 2 * x);
});
const sum2 = task(function sum2(a: number, b: number): number {
  appendFileSync('ran.log', `sum2 ${a} ${b}\n`);
  return a + b;
});
function inc(x: number): number {
  return x + 1;
}

const t = double([0, 1, 2, 3, 4, 5, 6, 7]);
export const t0 = pick(t, 0);
export const t2 = pick(t, 2);
export const s = sum2(t0, t2);
export const a = derive(s, inc);
export const b = derive(a, inc);
export const final = sum2(a, b);
