/** An intermediate result of each size, taken by one task each; `sum` takes them all. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

const large = task(
  function large(x: number): Uint8Array {
    appendFileSync('ran.log', `large ${x.toString()}\n`);
    return new Uint8Array(x).fill(1);
  },
  { keep: false },
);
const weigh = task(function weigh(bytes: Uint8Array): number {
  appendFileSync('ran.log', `weigh ${bytes.length.toString()}\n`);
  return bytes.length;
});
const sum = task(function sum(xs: number[]): number {
  return xs.reduce((a, b) => a + b, 0);
});

export const parts = [10, 3_000_000].map((x) => large(x));
export const weights = parts.map((each) => weigh(each));
export const total = sum(weights);
