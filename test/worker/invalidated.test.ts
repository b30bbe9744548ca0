/** Results that are invalidated while a worker computes with them. */
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { findDoomed, invalidateDoomed } from '../../cli/invalidate.ts';
import { parsePatterns } from '../../core/patterns.ts';
import { eventually } from '../kit/eventually.ts';
import { startedBy, startTrial } from '../kit/trial.ts';

test.serial(
  'invalidated while a dependent runs: its result is refused, and computed again from the new input',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    import { appendFileSync, existsSync, readFileSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    const place = tmpdir() + '/jugq-invalid-' + process.pid;
    const source = task(function source() {
      appendFileSync(place, 'x');
      return readFileSync(place, 'utf8').length;
    });
    const taker = task(async function taker(x: number) {
      while (x === 1 && !existsSync(place + '-go')) await new Promise((resolve) => setTimeout(resolve, 20));
      return x * 10;
    });
    export const end = taker(source());
  `);
    const [source] = trial.ids(run, 'source');
    const [taker] = trial.ids(run, 'taker');
    if (source === undefined || taker === undefined) throw new Error('two tasks');
    trial.startDispatcher();
    const worker = await trial.startWorker();
    await eventually('the dependent to run', () => startedBy(worker).includes(taker));
    const doomed = await findDoomed(trial.project, { patterns: parsePatterns(['source']) });
    t.deepEqual([...doomed.tasks.keys()], [source, taker]);
    t.like(await invalidateDoomed(trial.project, doomed, () => undefined), {
      tasks: 2,
      results: 1,
    });
    await writeFile(join(tmpdir(), `jugq-invalid-${process.pid.toString()}-go`), '');
    t.is((await trial.end(run)).state, 'finished');
    t.is(await trial.value(source), 2);
    t.is(await trial.value(taker), 20);
    // The new input may be through before the old one's result has been asked about.
    const refused = await eventually('the refusal', () => {
      const all = worker.events.filter((event) => event.kind === 'result-refused');
      return all.length > 0 && all;
    });
    t.like(refused, [{ task: taker, why: 'invalidated' }]);
  },
);

test.serial(
  'invalidated while it waits in the queue and nobody dispatches: a worker leaves it alone, and it runs once',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
      import { task } from 'jugq';
      const slow = task(function slow(i: number): number { return i; });
      slow(1);
      slow(2);
    `);
    const ids = trial.ids(run, 'slow');
    const dispatcher = trial.startDispatcher();
    await eventually('the queue to have both', async () => {
      return (await trial.project.queue.list()).length === 2;
    });
    await dispatcher.stop();
    const doomed = await findDoomed(trial.project, { patterns: parsePatterns(['slow']) });
    t.like(await invalidateDoomed(trial.project, doomed, () => undefined), {
      tasks: 2,
      results: 0,
    });
    const worker = await trial.startWorker();
    await eventually('the queue to be empty', async () => {
      return (await trial.project.queue.list()).length === 0;
    });
    t.deepEqual(startedBy(worker), []);
    trial.startDispatcher();
    t.is((await trial.end(run)).state, 'finished');
    t.deepEqual(startedBy(worker).sort(), [...ids].sort());
  },
);
