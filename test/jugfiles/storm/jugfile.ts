/** A made-up graph, of the shape, seed and size that the arguments say; each task says in ran.log that it runs. */
import { appendFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { task, type Task } from 'jugq';
import { knotsOf, valueOf, type Kind, type Shape, type Value } from './shapes.ts';

function say(at: number): void {
  appendFileSync(
    'ran.log',
    `${at.toString()} ${process.pid.toString()} ${Date.now().toString()}\n`,
  );
}

const quick = task(function quick(at: number, inputs: Value[]): Value {
  say(at);
  return valueOf('quick', at, inputs);
});
const slow = task(async function slow(at: number, inputs: Value[], ms: number): Promise<Value> {
  say(at);
  await delay(ms);
  return valueOf('slow', at, inputs);
});
const bulky = task(function bulky(at: number, inputs: Value[]): Value {
  say(at);
  return valueOf('bulky', at, inputs);
});
const flaky = task(
  function flaky(at: number, inputs: Value[]): Value {
    say(at);
    if (Math.random() < 0.3) throw new Error('bad luck');
    return valueOf('flaky', at, inputs);
  },
  { retries: 12 },
);

export default function plan([shape, seed, count]: readonly string[]): void {
  const makers: Record<Exclude<Kind, 'slow'>, typeof quick> = { quick, bulky, flaky };
  const tasks: Task<Value>[] = [];
  knotsOf(shape as Shape, Number(seed), Number(count)).forEach(({ kind, ms, inputs }, at) => {
    const taken = inputs.flatMap((each) => tasks[each] ?? []);
    tasks.push(kind === 'slow' ? slow(at, taken, ms) : makers[kind](at, taken));
  });
}
