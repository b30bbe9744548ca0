/** Prints while it is read, and while its tasks run. */
import { task } from 'jugq';

console.log('reading the jugfile');

const quiet = task(function quiet(x: number): number {
  return x;
});
const loud = task(function loud(x: number): number {
  console.log('step one of', x);
  process.stdout.write('step two without an end');
  console.error('a complaint');
  throw new Error('too loud');
});

export const one = quiet(1);
export const two = loud(one);
