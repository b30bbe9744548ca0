/** 500 tasks, each of which takes the one before it. */
import { task, type Task } from 'jugq';

const next = task(function next(number: number): number {
  return number + 1;
});

let last: Task<number> = next(0);
for (let hop = 1; hop < 500; hop++) last = next(last);
