/** Tasks that begin, say so in ran.log, and end only when the file `open` is there. */
import { appendFileSync, existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { task } from 'jugq';

const gated = task(async function gated(x: number): Promise<number> {
  appendFileSync('ran.log', `gated ${x.toString()}\n`);
  while (!existsSync('open')) await delay(20);
  return x;
});
const sum = task(function sum(xs: number[]): number {
  appendFileSync('ran.log', 'sum\n');
  return xs.reduce((a, b) => a + b, 0);
});

const parts = [1, 2, 3, 4].map((x) => gated(x));
export const total = sum(parts);
