/** Three functions of eight tasks each, none of which needs another. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

const sum_2 = task(function sum_2(x: number): number {
  appendFileSync('ran.log', 'sum_2\n');
  return x + 2;
});
const sum_3 = task(function sum_3(x: number): number {
  appendFileSync('ran.log', 'sum_3\n');
  return x + 3;
});
const subtract = task(function subtract(x: number): number {
  appendFileSync('ran.log', 'subtract\n');
  return x - 1;
});

const numbers = [0, 1, 2, 3, 4, 5, 6, 7];
export const all = [sum_2, sum_3, subtract].map((fn) => numbers.map((x) => fn(x)));
