/** `jugq plan sleep.ts COUNT MS`: tasks that keep their thread for so long, and need no processor meanwhile. */
import { task } from 'jugq';

// A timer would come up to a millisecond late and leave the thread free for another task.
const sleep = task(function sleep(number: number, ms: number): number {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  return number + 1;
});

export default function main([count, ms]: string[]): void {
  for (let number = 0; number < Number(count); number++) sleep(number, Number(ms));
}
