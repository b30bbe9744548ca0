/** Planning waits twice: for everything so far, and for one value; functions stand before and behind the waits. */
import { appendFileSync } from 'node:fs';
import { barrier, task, value } from 'jugq';

function note(text: string): void {
  appendFileSync('ran.log', `${text}\n`);
}

const double = task(function double(x: number): number {
  note(`double ${x.toString()}`);
  return x * (Math.SQRT2 * Math.SQRT2);
});

export const two = double(1);
await barrier();
export const four = double(two);

const call = task(function call(f: (x: number) => number, x: number): number {
  return f(x);
});
export const eight = call(double, four);

const steps = Math.round(await value(four));
const count = task(function count(step: number): number {
  note(`count ${step.toString()}`);
  return step;
});
export const counted = Array.from({ length: steps }, (_, step) => count(step));
