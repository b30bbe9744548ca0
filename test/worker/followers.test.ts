/** Tasks that take results of others in the same parcel: the parcels are made by hand, so that these travel together. */
import test from 'ava';
import { encodeParcel } from '../../core/parcel.ts';
import { parcelTask } from '../../core/dispatch.ts';
import { idOf } from '../../core/graph.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { eventually } from '../kit/eventually.ts';
import { startTrial, type Trial, type TrialWorker } from '../kit/trial.ts';

type Submitted = Awaited<ReturnType<Trial['submit']>>;

/** Publishes all tasks of a run in one message. */
async function publishTogether(
  trial: Trial,
  { progress, loaded, record }: Submitted,
): Promise<void> {
  const { graph } = loaded;
  const positions = Array.from({ length: graph.count }, (_, at) => at);
  const facts = { run: record.id, code: record.code, quick: true, failFast: false, taken: true };
  const payload = encodeParcel(
    facts,
    positions.map((at) => parcelTask(progress, at)),
  );
  const outcome = await new Promise((resolve) => {
    trial.project.queue.publish({ head: idOf(graph, 0), queue: 'default', payload }, resolve);
  });
  if (outcome !== 'accepted') throw new Error(`the parcel was not accepted: ${String(outcome)}`);
}

function counted(
  worker: TrialWorker,
  kind: 'task-started' | 'result-stored' | 'parcel-acked',
): number {
  return worker.events.filter((event) => event.kind === kind).length;
}

function acked(worker: TrialWorker): Promise<boolean> {
  return eventually('the parcel to be acknowledged', () => counted(worker, 'parcel-acked') > 0);
}

function valuesOf(trial: Trial, run: Submitted, functionName: string): Promise<unknown[]> {
  return Promise.all(trial.ids(run, functionName).map((id) => trial.value(id)));
}

/** Each takes the one before; the first one takes its time. */
const chain = `
  import { task } from 'jugq';
  const first = task(async function first(x: number) { await new Promise((r) => setTimeout(r, 50)); return x; });
  const step = task(function step(x: number, n: number) { return 2 * x + n; });
  let last = first(1);
  for (let n = 0; n < 4; n++) last = step(last, n);
  export const end = last;
`;

test('followers: run in the thread of those that they take, and are stored after them', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(`
    import { task } from 'jugq';
    const leaf = task(function leaf(x: number) { return { x }; });
    const add = task(async function add(a: { x: number }, b: { x: number }) { return { x: a.x + b.x }; });
    const part = task(function part(sum: { x: number }, list: number[]) { return sum.x + list.length; });
    const leaves = [1, 2, 3, 4].map((x) => leaf(x));
    const [a, b, c, d] = leaves as [any, any, any, any];
    const sum = add(add(a, b), add(c, d));
    export const end = part(sum, [1, 2]);
  `);
  await publishTogether(trial, run);
  const worker = await trial.startWorker();
  await acked(worker);
  t.deepEqual(await valuesOf(trial, run, 'part'), [12]);
  t.deepEqual(await valuesOf(trial, run, 'add'), [{ x: 3 }, { x: 7 }, { x: 10 }]);
  t.is(counted(worker, 'task-started'), 8);
  const stored = worker.events.flatMap((event) =>
    event.kind === 'result-stored' ? [event.task] : [],
  );
  const all = Array.from({ length: 8 }, (_, at) => idOf(run.loaded.graph, at));
  t.deepEqual(new Set(stored), new Set(all));
  t.true(stored.indexOf(all[6] as TaskId) > stored.indexOf(all[5] as TaskId));
  t.is(stored.at(-1), all[7]);
});

test('followers: another result was stored for what they take: made anew, of that one', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(chain);
  const [first] = trial.ids(run, 'first');
  if (first === undefined) throw new Error('it is declared');
  await publishTogether(trial, run);
  const fingerprint = run.loaded.graph.functions[0]?.fingerprint ?? '';
  let isPut = false;
  const worker = await trial.startWorker({
    onEvent: (event) => {
      if (event.kind !== 'task-started' || isPut) return;
      isPut = true;
      const facts = { worker: 'other', ms: 1, attempt: 1, digest: 'd', fingerprint };
      const value = new Uint8Array([10]);
      trial.project.results.put({ id: first, value, facts, expects: 0 }, () => undefined);
    },
  });
  await acked(worker);
  t.is(await trial.value(first), 10);
  t.deepEqual(await valuesOf(trial, run, 'step'), [20, 41, 84, 171]);
});

test('followers: what they take has failed: they are not run, and run once it has been retried', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(`
    import { task } from 'jugq';
    import { existsSync, writeFileSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    const mark = tmpdir() + '/jugq-follow-' + process.pid;
    const good = task(function good(x: number) { return x; });
    const bad = task(function bad(x: number) {
      if (!existsSync(mark)) { writeFileSync(mark, ''); throw new Error('not yet'); }
      return x + 1;
    }, { retries: 1 });
    const after = task(function after(x: number) { return 2 * x; });
    export const end = after(after(bad(good(1))));
  `);
  await publishTogether(trial, run);
  const worker = await trial.startWorker();
  await acked(worker);
  t.deepEqual(await valuesOf(trial, run, 'good'), [1]);
  t.deepEqual(await valuesOf(trial, run, 'after'), [undefined, undefined]);
  t.is(counted(worker, 'result-stored'), 1);
  trial.startDispatcher();
  t.is((await trial.end(run)).state, 'finished');
  t.deepEqual(await valuesOf(trial, run, 'after'), [4, 8]);
});

test('followers: their thread ends under them: each is run by itself, in order', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(`
    import { task } from 'jugq';
    import { existsSync, writeFileSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    const mark = tmpdir() + '/jugq-thread-' + process.pid;
    const step = task(function step(x: number, n: number) {
      if (n === 2 && !existsSync(mark)) { writeFileSync(mark, ''); (process as unknown as { reallyExit(code: number): void }).reallyExit(3); }
      return 2 * x + n;
    });
    let last = step(1, 0);
    for (let n = 1; n < 5; n++) last = step(last, n);
    export const end = last;
  `);
  await publishTogether(trial, run);
  const worker = await trial.startWorker();
  await acked(worker);
  t.deepEqual(await valuesOf(trial, run, 'step'), [2, 5, 12, 27, 58]);
  t.is(counted(worker, 'task-started'), 6, 'the thread that ended told of none but the first');
});

for (const at of [0, 2]) {
  test(`followers: their worker crashes when result ${at.toString()} is stored: another does the rest`, async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(chain);
    await publishTogether(trial, run);
    trial.startDispatcher();
    let stored = 0;
    const crashed = await trial.startWorker({
      onEvent: (event, worker) => {
        if (event.kind === 'result-stored' && stored++ === at) void worker.crash();
      },
    });
    await eventually('its crash', () => stored > at);
    const second = await trial.startWorker();
    t.is((await trial.end(run)).state, 'finished');
    t.deepEqual(await valuesOf(trial, run, 'step'), [2, 5, 12, 27]);
    t.is(counted(crashed, 'task-started'), 5);
    t.true(counted(second, 'task-started') <= 5 - at - 1, 'what is stored is not run again');
    await eventually('an empty queue', async () => (await trial.project.queue.list()).length === 0);
  });
}

test('followers: an input from elsewhere is gone: they wait for it, and what they take stays', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(`
    import { task } from 'jugq';
    const other = task(function other() { return 5; });
    const base = task(function base() { return 1; });
    const both = task(function both(a: number, b: number) { return a + b; });
    const x = other();
    export const end = both(both(base(), x), 3);
  `);
  // The message says that \`other\` is there, which it is not.
  const { progress } = run;
  progress.facts[0] = (progress.facts[0] ?? 0) | 1;
  progress.revision[0] = 7;
  const { graph } = run.loaded;
  const facts = { run: run.record.id, code: run.record.code, quick: true, failFast: false };
  const payload = encodeParcel(
    { ...facts, taken: true },
    [1, 2, 3].map((task) => parcelTask(progress, task)),
  );
  await new Promise((resolve) => {
    trial.project.queue.publish({ head: idOf(graph, 1), queue: 'default', payload }, resolve);
  });
  const worker = await trial.startWorker();
  await acked(worker);
  t.deepEqual(await valuesOf(trial, run, 'base'), [1]);
  t.deepEqual(await valuesOf(trial, run, 'both'), [undefined, undefined]);
  trial.startDispatcher();
  t.is((await trial.end(run)).state, 'finished');
  t.deepEqual(await valuesOf(trial, run, 'both'), [6, 9]);
});
