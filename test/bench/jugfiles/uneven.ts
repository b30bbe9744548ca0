/** Tasks of a few functions that keep their thread for very different times, and need no processor meanwhile. */
import { task } from 'jugq';
import { unevenTasks } from './uneven-durations.ts';

function sleep(number: number, ms: number): number {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
  return number + 1;
}

const functions = {
  scan: task(function scan(number: number, ms: number): number {
    return sleep(number, ms);
  }),
  parse: task(function parse(number: number, ms: number): number {
    return sleep(number, ms);
  }),
  fit: task(function fit(number: number, ms: number): number {
    return sleep(number, ms);
  }),
  simulate: task(function simulate(number: number, ms: number): number {
    return sleep(number, ms);
  }),
};

unevenTasks().forEach(({ name, ms }, number) => functions[name](number, ms));
