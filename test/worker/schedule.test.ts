import test from 'ava';
import type { TaskId } from '../../core/identifiers.ts';
import type { HeldParcel } from '../../worker/held-parcels.ts';
import { Schedule, type NextBatch, type Work } from '../../worker/schedule.ts';

/** A quick function is one of which four tasks took a millisecond each. */
function scheduleOf(threads: number, ...quick: string[]): Schedule {
  const schedule = new Schedule(threads);
  for (const name of quick) for (let at = 0; at < 4; at++) schedule.note(name, 'done', 1);
  return schedule;
}

function work(functionName: string, options: Partial<Work> & { timeoutMs?: number } = {}): Work {
  const { timeoutMs, ...rest } = options;
  const fn = {
    name: functionName,
    fingerprint: 'f00d',
    retries: 0,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  const id = `${functionName}.${'a'.repeat(32)}` as TaskId;
  const bytes = new Uint8Array();
  return {
    held: { parcel: { failFast: false, taken: false }, gone: false } as HeldParcel,
    task: { id, fn, expects: 0, failureExpects: 0, attempt: 1, arguments: bytes, inputs: [] },
    runnable: { id, attempt: 1, arguments: bytes, inputs: [] },
    file: 'bundle.mjs',
    companions: [],
    suspect: undefined,
    alone: false,
    ...rest,
  };
}

function addAll(schedule: Schedule, count: number, make: () => Work): void {
  for (let at = 0; at < count; at++) schedule.add(make());
}

function all(schedule: Schedule): NextBatch[] {
  const batches: NextBatch[] = [];
  for (let batch = schedule.next(); batch; batch = schedule.next()) batches.push(batch);
  return batches;
}

test('schedule: an unknown function: one task a thread, and nothing behind it', (t) => {
  const schedule = scheduleOf(2);
  addAll(schedule, 10, () => work('f'));
  const batches = all(schedule);
  t.deepEqual(
    batches.map(({ thread, works, shares }) => [thread, works.length, shares]),
    [
      [0, 1, false],
      [1, 1, false],
    ],
  );
});

test('schedule: a quick function: each thread has its next batch while it runs one', (t) => {
  const schedule = scheduleOf(2, 'f');
  addAll(schedule, 200, () => work('f'));
  const batches = all(schedule);
  t.deepEqual(
    batches.map(({ thread, works, shares }) => [thread, works.length, shares]),
    [
      [0, 24, true],
      [1, 24, true],
      [0, 24, true],
      [1, 24, true],
    ],
  );
  t.true(schedule.isBusy);
  for (const batch of batches) schedule.done(batch);
  t.false(schedule.isBusy);
});

test('schedule: little is left: it waits for whichever thread is free first', (t) => {
  const schedule = scheduleOf(2, 'f');
  addAll(schedule, 3, () => work('f'));
  const batches = all(schedule);
  t.deepEqual(
    batches.map((each) => each.works.length),
    [2, 1],
  );
  schedule.add(work('f'));
  t.is(schedule.next(), undefined);
  const [, second] = batches;
  if (second !== undefined) schedule.done(second);
  t.is(schedule.next()?.thread, 1);
});

test('schedule: what may end its thread or take long shares it with nobody', (t) => {
  const suspect = { failureRevision: 0, strikes: 0, died: false };
  const exclusive: (() => Work)[] = [
    () => work('f', { timeoutMs: 1000 }),
    () => work('f', { alone: true }),
    () => work('f', { suspect }),
    () => work('slow'),
  ];
  for (const make of exclusive) {
    const behind = scheduleOf(1, 'f');
    for (let at = 0; at < 4; at++) behind.note('slow', 'done', 500);
    behind.add(make());
    t.like(behind.next(), { thread: 0, shares: false });
    addAll(behind, 5, () => work('f'));
    t.is(behind.next(), undefined, 'a quick batch was put behind it');

    const before = scheduleOf(1, 'f');
    for (let at = 0; at < 4; at++) before.note('slow', 'done', 500);
    before.add(work('f'));
    t.like(before.next(), { shares: true });
    addAll(before, 5, make);
    t.is(before.next(), undefined, 'it was put behind a quick batch');
  }
});

test('schedule: work whose parcel is gone: falls out', (t) => {
  const schedule = scheduleOf(1, 'f');
  const gone = work('f');
  schedule.add({ ...gone, held: { ...gone.held, gone: true } });
  schedule.add(work('f'));
  t.is(schedule.next()?.works.length, 1);
  t.is(schedule.next(), undefined);
});

test('schedule: a function that has only failed: batches of a few, by what it took to fail', (t) => {
  const schedule = new Schedule(2);
  for (let at = 0; at < 4; at++) schedule.note('f', 'failed', 0.01);
  addAll(schedule, 200, () => work('f'));
  t.is(all(schedule)[0]?.works.length, 16);
});

test('schedule: a function that fails at once and has finished slowly: one task a thread', (t) => {
  const schedule = new Schedule(2);
  for (let at = 0; at < 8; at++) schedule.note('f', 'failed', 0.01);
  for (let at = 0; at < 4; at++) schedule.note('f', 'done', 500);
  addAll(schedule, 200, () => work('f'));
  t.is(all(schedule)[0]?.works.length, 1);
});

test('schedule: suspects: go before what waits already, as they come, one a thread', (t) => {
  const schedule = scheduleOf(2, 'quick');
  addAll(schedule, 40, () => work('quick'));
  addAll(schedule, 5, () => work('long'));
  const suspect = { failureRevision: 1, strikes: 0, died: false };
  addAll(schedule, 2, () => work('f', { suspect }));
  addAll(schedule, 1, () => work('g', { suspect }));
  const begun: string[] = [];
  for (let turn = 0; turn < 4; turn++) {
    const batch = schedule.next();
    if (batch === undefined) break;
    const [first] = batch.works;
    begun.push(`${first?.task.fn.name ?? ''} ${batch.works.length.toString()}`);
    schedule.done(batch);
  }
  t.deepEqual(begun, ['g 1', 'f 1', 'f 1', 'quick 23']);
});
