/** `jugq plan sleep.ts COUNT MS`: tasks that keep their thread for so long, and need hardly any processor time. */
import { task } from 'jugq';

// A timer would come up to a millisecond late and leave the thread free for another task.
const sleep = task(function sleep(number: number, ms: number): number {
  const until = performance.now() + ms;
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms - lateMs);
  while (performance.now() < until);
  return number + 1;
});
/** So late a thread may be woken: the rest is waited for awake, so that a task takes no more than it says. */
const lateMs = 0.3;

export default function main([count, ms]: string[]): void {
  for (let number = 0; number < Number(count); number++) sleep(number, Number(ms));
}
