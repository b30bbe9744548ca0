/** 30,000 tasks that do nothing and depend on nothing. */
import { task } from 'jugq';

const next = task(function next(number: number): number {
  return number + 1;
});

for (let number = 0; number < 30_000; number++) next(number);
