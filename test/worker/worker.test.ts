import test from 'ava';
import { readDifferences, recordDifference } from '../../broker/differences.ts';
import { eventually } from '../kit/eventually.ts';
import { idFor } from '../kit/project.ts';
import { startedBy, startTrial, trialAckWaitMs } from '../kit/trial.ts';

test.serial(
  'a graph with inputs in structures: every result is that of the sequential program',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    const double = task(function double(x: number) { return x * 2; });
    const sum = task(async function sum(x: { all: number[]; more: Map<string, number> }) {
      return x.all.reduce((a, b) => a + b, 0) + (x.more.get('one') ?? 0);
    });
    const all = [1, 2, 3].map((x) => double(x));
    export const total = sum({ all, more: new Map([['one', double(10)]]) });
  `);
    trial.startDispatcher();
    await trial.startWorker();
    t.is((await trial.end(run)).state, 'finished');
    const [total] = trial.ids(run, 'sum');
    t.is(total && (await trial.value(total)), 32);
  },
);

test.serial(
  'a task that fails twice with two retries: three attempts, a result, no failure record',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    import { existsSync, writeFileSync } from 'node:fs';
    import { tmpdir } from 'node:os';
    const mark = (n: number) => tmpdir() + '/jugq-flaky-' + process.pid + '-' + n;
    export const end = task(function flaky() {
      for (const n of [1, 2]) {
        if (!existsSync(mark(n))) { writeFileSync(mark(n), ''); throw new Error('attempt ' + n); }
      }
      return 'at last';
    }, { retries: 2 })();
  `);
    trial.startDispatcher();
    const worker = await trial.startWorker();
    t.is((await trial.end(run)).state, 'finished');
    const [id] = trial.ids(run, 'flaky');
    t.is(id && (await trial.value(id)), 'at last');
    const failed = worker.events.filter((event) => event.kind === 'task-failed');
    t.deepEqual(
      failed.map((event) => event.final),
      [false, false],
    );
    await trial.project.publisher.drained();
    t.is(id && (await trial.failure(id)), undefined);
  },
);

test.serial(
  'every way in which a task can go wrong: a failure record of its own, and the worker goes on',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    task(function throws() { throw new RangeError('too far'); })();
    task(function throwsText() { throw 'just text'; })();
    task(async function rejects() { await sleep(1); throw new Error('later'); })();
    task(async function floats() { void Promise.reject(new Error('afloat')); await sleep(60_000); })();
    task(async function fromTimer() { setTimeout(() => { throw new Error('tick'); }, 1); await sleep(60_000); })();
    task(function exits() { process.exit(7); })();
    task(function spins() { for (;;) ; }, { timeout: 300 })();
    task(function returnsFunction() { return { a: [() => 1] }; })();
    task(function returnsGetter() { return { get boom() { throw new Error('no'); } }; })();
    task(function fine() { console.log('said'); return 1; })();
  `);
    trial.startDispatcher();
    await trial.startWorker();
    const record = await trial.end(run);
    t.is(record.state, 'failed');
    const names: Record<string, string> = {};
    for (const each of run.loaded.graph.functions) {
      const [id] = trial.ids(run, each.name);
      const failure = id && (await trial.failure(id));
      names[each.name] = failure ? `${failure.error.name}: ${failure.error.message}` : 'none';
    }
    t.like(names, {
      throws: 'RangeError: too far',
      rejects: 'Error: later',
      floats: 'Error: afloat',
      fromTimer: 'Error: tick',
      exits: 'Exit: it called process.exit(7)',
      spins: 'Timeout: it took longer than its timeout of 300 ms',
      fine: 'none',
    });
    t.regex(names['throwsText'] ?? '', /just text/);
    t.regex(names['returnsFunction'] ?? '', /VALUE_NOT_STORABLE: .*a\[0\]/);
    t.regex(names['returnsGetter'] ?? '', /VALUE_NOT_STORABLE: .*boom/);
  },
);

test.serial(
  'a result and arguments over the limit of a message: stored apart, and whole for those who need them',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    const make = task(function make(n: number) { return new Uint8Array(n).fill(7); });
    const count = task(function count(bytes: Uint8Array, text: string) { return bytes.length + text.length; });
    export const end = count(make(5_000_000), 'x'.repeat(3_000_000));
  `);
    trial.startDispatcher();
    await trial.startWorker();
    t.is((await trial.end(run)).state, 'finished');
    const [made] = trial.ids(run, 'make');
    const [counted] = trial.ids(run, 'count');
    t.is(counted && (await trial.value(counted)), 8_000_000);
    t.true(made && (await trial.project.results.readFromLeader(made))?.isBlob);
  },
);

test.serial(
  'a worker that crashes after the put and before the ack: the next one finds the result and runs nothing',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    export const end = task(function once() { return 'done'; })();
  `);
    trial.startDispatcher();
    const first = await trial.startWorker({
      onEvent: (event, worker) => {
        if (event.kind === 'result-stored') void worker.crash();
      },
    });
    await trial.end(run);
    const second = await trial.startWorker();
    while ((await trial.project.queue.list()).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    t.is(startedBy(first).length, 1);
    t.is(startedBy(second).length, 0);
    t.is(second.events.find((event) => event.kind === 'parcel-taken')?.deliveries, 2);
  },
);

test.serial(
  'a worker that crashes in the middle of tasks: another finishes them all',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    const slow = task(async function slow(i: number) { await new Promise((r) => setTimeout(r, 300)); return i; });
    const sum = task(function sum(all: number[]) { return all.reduce((a, b) => a + b, 0); });
    export const end = sum([0, 1, 2, 3, 4, 5].map((i) => slow(i)));
  `);
    trial.startDispatcher();
    let started = 0;
    await trial.startWorker({
      onEvent: (event, worker) => {
        if (event.kind === 'task-started' && ++started === 3) void worker.crash();
      },
    });
    await trial.startWorker();
    t.is((await trial.end(run)).state, 'finished');
    const [id] = trial.ids(run, 'sum');
    t.is(id && (await trial.value(id)), 15);
  },
);

test.serial('a task of three ack waits: kept alive by heartbeats, delivered once', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(`
    import { task } from 'jugq';
    export const end = task(function long(ms: number) {
      const until = Date.now() + ms;
      while (Date.now() < until);
      return 'slept';
    })(${(3 * trialAckWaitMs).toString()});
  `);
  trial.startDispatcher();
  const worker = await trial.startWorker({ threads: 1 });
  const other = await trial.startWorker({ threads: 1 });
  t.is((await trial.end(run)).state, 'finished');
  const taken = [...worker.events, ...other.events].filter((e) => e.kind === 'parcel-taken');
  t.is(taken.length, 1);
});

test.serial(
  'a worker stopped for longer than its ack wait: takes its own message up again and runs nothing twice',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    export const end = task(function one() { return 1; })();
  `);
    trial.startDispatcher();
    const cell = new Int32Array(new SharedArrayBuffer(4));
    let stopped = false;
    const worker = await trial.startWorker({
      onEvent: (event) => {
        if (event.kind !== 'result-computed' || stopped) return;
        stopped = true;
        // The whole process stands still, dispatcher and all, as in a laptop that sleeps.
        Atomics.wait(cell, 0, 0, 1.5 * trialAckWaitMs);
      },
    });
    t.is((await trial.end(run)).state, 'finished');
    while ((await trial.project.queue.list()).length > 0) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    t.is(worker.events.filter((event) => event.kind === 'parcel-taken').length, 1);
    t.is(startedBy(worker).length, 1);
  },
);

test.serial(
  'a dependency that is deleted before it is needed: computed again, and the graph goes on',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    const base = task(function base() { return 20; });
    const slow = task(async function slow(x: number) { await new Promise((r) => setTimeout(r, 2500)); return x; });
    const join = task(function join(a: number, b: number) { return a + b; });
    export const end = join(base(), slow(2));
  `);
    const [base] = trial.ids(run, 'base');
    if (base === undefined) throw new Error('base is declared');
    trial.startDispatcher();
    let deleted = false;
    const worker = await trial.startWorker({
      onEvent: (event) => {
        if (event.kind !== 'result-stored' || event.task !== base || deleted) return;
        deleted = true;
        // By a tool that tells nobody: the dispatcher sees it within a second.
        void trial.project.connection
          .jetstream()
          .views.kv(trial.project.names.results)
          .then((bucket) => bucket.delete(base));
      },
    });
    t.is((await trial.end(run)).state, 'finished');
    const [end] = trial.ids(run, 'join');
    t.is(end && (await trial.value(end)), 22);
    t.is(worker.events.filter((e) => e.kind === 'result-stored' && e.task === base).length, 2);
  },
);

for (const [kind, fingerprint, why] of [
  ['of the same code', undefined, 'differs'],
  ['of other code', 'f00d', 'invalidated'],
] as const) {
  test.serial(
    `two results for one task, the first ${kind}: it counts, and the second is told as "${why}"`,
    async (t) => {
      await using trial = await startTrial();
      const run = await trial.submit(`
    import { task } from 'jugq';
    export const end = task(async function random() {
      await new Promise((r) => setTimeout(r, 300));
      return Math.random();
    })();
  `);
      const [id] = trial.ids(run, 'random');
      if (id === undefined) throw new Error('random is declared');
      const own = run.loaded.graph.functions[0]?.fingerprint ?? '';
      trial.startDispatcher();
      const worker = await trial.startWorker({
        onEvent: (event) => {
          if (event.kind !== 'task-started') return;
          const facts = { worker: 'other', ms: 1, attempt: 1, digest: 'd' };
          const result = { id, value: new Uint8Array([1]), expects: 0 };
          trial.project.results.put(
            { ...result, facts: { ...facts, fingerprint: fingerprint ?? own } },
            () => undefined,
          );
        },
      });
      t.is((await trial.end(run)).state, 'finished');
      await eventually('the parcel to be acknowledged', () =>
        worker.events.some((event) => event.kind === 'parcel-acked'),
      );
      t.is(await trial.value(id), 1);
      t.is(worker.events.find((event) => event.kind === 'result-refused')?.why, why);
      const differences = await readDifferences(trial.project);
      t.deepEqual(
        differences.map((each) => [each.task, each.stored.worker]),
        why === 'differs' ? [[id, 'other']] : [],
      );
    },
  );
}

test.serial('a difference whose result is invalidated: tells nothing any more', async (t) => {
  await using trial = await startTrial();
  const id = idFor('random', 1);
  const facts = { worker: 'w', ms: 1, attempt: 1, fingerprint: 'f', digest: 'one' };
  const { project } = trial;
  const revision = await new Promise<number>((resolve) => {
    project.results.put({ id, value: new Uint8Array([1]), facts, expects: 0 }, (outcome) =>
      resolve(outcome.kind === 'stored' ? outcome.sequence : 0),
    );
  });
  const [stored, other] = ['one', 'two'].map((digest) => ({ worker: 'w', digest }));
  if (stored === undefined || other === undefined) throw new Error('two are made');
  await recordDifference(project.failures, { task: id, stored, other });
  t.is((await readDifferences(project)).length, 1);
  await project.results.mark(id, revision);
  t.is((await readDifferences(project)).length, 0);
});

test.serial(
  'a worker that drains: hands back what has not begun, finishes what runs',
  async (t) => {
    await using trial = await startTrial();
    const run = await trial.submit(`
    import { task } from 'jugq';
    const slow = task(async function slow(i: number) { await new Promise((r) => setTimeout(r, 400)); return i; });
    for (let i = 0; i < 6; i++) slow(i);
  `);
    trial.startDispatcher();
    let first = true;
    const leaving = await trial.startWorker({
      threads: 1,
      onEvent: (event, worker) => {
        if (event.kind !== 'task-started' || !first) return;
        first = false;
        void worker.daemon.drain();
      },
    });
    await trial.startWorker({ threads: 2 });
    t.is((await trial.end(run)).state, 'finished');
    t.is(leaving.events.filter((event) => event.kind === 'result-stored').length, 1);
  },
);

test.serial(
  'a worker that drains: what it has not begun accuses nobody, and is run by another as if it came new',
  async (t) => {
    await using trial = await startTrial();
    // Of quick tasks several parcels are taken ahead; the long ones then wait where they are.
    const run = await trial.submit(`
    import { task } from 'jugq';
    const first = task(async function first(i: number) { await new Promise((r) => setTimeout(r, 1)); return i; });
    const then = task(async function then(i: number, _: unknown) { await new Promise((r) => setTimeout(r, 250)); return i; });
    const all = Array.from({ length: 40 }, (_, i) => first(i));
    for (let i = 0; i < 12; i++) then(i, all);
  `);
    trial.startDispatcher();
    let drained: Promise<number> | undefined;
    const longs = new Set<string>(trial.ids(run, 'then'));
    const leaving = await trial.startWorker({
      threads: 1,
      onEvent: (event, worker) => {
        if (event.kind !== 'task-started' || !longs.has(event.task)) return;
        drained ??= worker.daemon.drain();
      },
    });
    await eventually('the worker to be drained', () => drained);
    t.is(await drained, 0);
    const count = (kind: string): number => leaving.events.filter((e) => e.kind === kind).length;
    t.true(count('parcel-taken') > count('parcel-acked'), 'something was handed back');
    const taking = await trial.startWorker({ threads: 2 });
    t.is((await trial.end(run)).state, 'finished');
    const deliveries = taking.events.flatMap((e) =>
      e.kind === 'parcel-taken' ? e.deliveries : [],
    );
    t.true(deliveries.length > 0 && deliveries.every((each) => each === 1));
    t.false(taking.events.some((event) => event.kind === 'struck'));
    // The dispatcher had nothing to make up for.
    t.false(trial.events.some((event) => event.kind === 'reconciled'));
  },
);
