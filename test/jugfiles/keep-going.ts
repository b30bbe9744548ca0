/** Three of ten tasks fail, and what needs them is blocked. */
import { appendFileSync } from 'node:fs';
import { task } from 'jugq';

const someFail = task(function someFail(x: number): number {
  appendFileSync('ran.log', `someFail ${x.toString()}\n`);
  if (x % 3 === 2) {
    throw new RangeError(`cannot take ${x.toString()}`);
  }
  return x;
});
const plus1 = task(function plus1(x: number): number {
  appendFileSync('ran.log', `plus1 ${x.toString()}\n`);
  return x + 1;
});

export const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((x) => plus1(someFail(x)));
