/** 1,024 independent tasks. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

const setA = task(function setA(i: number): number {
  appendFileSync('ran.log', `${i.toString()}\n`);
  return i;
});

export const all = Array.from({ length: 1024 }, (_, i) => setA(i));
