/** What stands on record of a task that may have killed its worker, and who may write over it. */
import test from 'ava';
import { setTimeout as delay } from 'node:timers/promises';
import type { ParcelTask } from '../../core/parcel.ts';
import {
  decodeRecord,
  encodeRecord,
  recordFormat,
  type FailureRecord,
} from '../../core/records.ts';
import { knownFailure } from '../../broker/failures.ts';
import { Inputs } from '../../worker/inputs.ts';
import { putFailure, type StoreContext } from '../../worker/store-outcome.ts';
import { strike } from '../../worker/suspects.ts';
import { idFor, openTestProject, type TestProject } from '../kit/project.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { startProxy } from '../kit/tcp-proxy.ts';

let server: TestServer;
let tasks = 0;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

function contextOf(project: TestProject): StoreContext {
  const nothing = (): void => undefined;
  return { project, inputs: new Inputs(project), worker: 'w1', trace: nothing, onFull: nothing };
}

/** A task that nobody has heard of. */
function newTask(known: Partial<ParcelTask> = {}): ParcelTask {
  const id = idFor('suspect', ++tasks);
  const expected = { expects: 0, failureExpects: 0, attempt: 1 };
  const fn = { name: 'suspect', fingerprint: 'f00d', retries: 0 };
  return { id, fn, ...expected, arguments: new Uint8Array(), inputs: [], ...known };
}

function recordOf(task: ParcelTask, more: Partial<FailureRecord>): FailureRecord {
  return {
    ...{ format: recordFormat, kind: 'retry', task: task.id, attempt: 1, strikes: 0, expects: 0 },
    error: { name: 'Error', message: 'no', stack: '' },
    ...{ worker: 'w2', at: new Date().toISOString() },
    ...more,
  };
}

async function read(project: TestProject, task: ParcelTask): Promise<FailureRecord | undefined> {
  const entry = await project.failures.get(task.id);
  return entry?.value && decodeRecord<FailureRecord>(entry.value, task.id);
}

for (const [what, record, kind] of [
  ['a retry of this attempt', { kind: 'retry', attempt: 1 }, 'settled'],
  ['a retry of a later attempt', { kind: 'retry', attempt: 2 }, 'settled'],
  ['a final failure', { kind: 'final', attempt: 1 }, 'settled'],
  ['the strike of a later attempt', { kind: 'strike', attempt: 2 }, 'settled'],
] as const) {
  test(`strike: ${what} stands: nothing is written over it`, async (t) => {
    await using project = await openTestProject(server);
    const task = newTask();
    await project.failures.put(task.id, encodeRecord(recordOf(task, record)), 0);
    t.is((await strike(contextOf(project), task, false)).kind, kind);
    t.is((await read(project, task))?.kind, record.kind);
  });
}

test('strike: the retry that led to this attempt: is followed by the strike', async (t) => {
  await using project = await openTestProject(server);
  const task = newTask({ attempt: 2 });
  await project.failures.put(task.id, encodeRecord(recordOf(task, { attempt: 1 })), 0);
  t.is((await strike(contextOf(project), task, false)).kind, 'struck');
  t.like(await read(project, task), { kind: 'strike', attempt: 2, strikes: 0, vanished: 1 });
});

test('strike: a final failure from before the last marker: says nothing', async (t) => {
  await using project = await openTestProject(server);
  const task = newTask({ expects: 7 });
  const old = recordOf(task, { kind: 'final', expects: 0 });
  await project.failures.put(task.id, encodeRecord(old), 0);
  t.is((await strike(contextOf(project), task, false)).kind, 'struck');
});

test('strike: three deaths that were seen: poison', async (t) => {
  await using project = await openTestProject(server);
  const task = newTask();
  const context = contextOf(project);
  const kinds = [];
  for (const died of [false, true, true, true])
    kinds.push((await strike(context, task, died)).kind);
  t.deepEqual(kinds, ['struck', 'struck', 'struck', 'poison']);
});

test('strike: workers that were gone nine times: not yet poison, ten times: poison', async (t) => {
  await using project = await openTestProject(server);
  const task = newTask();
  const context = contextOf(project);
  for (let n = 0; n < 10; n++) t.is((await strike(context, task, false)).kind, 'struck');
  t.is((await strike(context, task, false)).kind, 'poison');
});

test('strike: the answer to its put is lost: struck once, and not taken for settled', async (t) => {
  await using proxy = await startProxy(server.port);
  await using project = await openTestProject({ port: proxy.port });
  await using direct = await openTestProject(server);
  const task = newTask();
  // The server takes the record, and its answer is lost with the link.
  proxy.whenSaid(`$KV.${project.names.failures}.${task.id}`, () => {
    void delay(0).then(proxy.cut);
  });
  proxy.mute();
  const struck = await strike(contextOf(project), task, false);
  t.is(struck.kind, 'struck');
  t.like(await read(direct, task), { kind: 'strike', vanished: 1 });
});

test('failure: an older record of another worker stands: is not written over', async (t) => {
  await using project = await openTestProject(server);
  const task = newTask();
  const theirs = recordOf(task, { kind: 'strike' });
  await project.failures.put(task.id, encodeRecord(theirs), 0);
  t.is(await putFailure(contextOf(project), recordOf(task, { worker: 'w1' }), 0), undefined);
  t.is((await read(project, task))?.kind, 'strike');
});

test('failure: a bucket that was made anew: the revision that the parcel knew is no obstacle', async (t) => {
  await using project = await openTestProject(server);
  const task = newTask();
  const revision = await putFailure(contextOf(project), recordOf(task, {}), 4711);
  t.true((revision ?? 0) > 0);
});

for (const [whose, hours] of [
  ['hours ahead', 3],
  ['hours behind', -3],
] as const) {
  test(`failure: the clock of its worker is ${whose}: due when the worker's pause is over`, async (t) => {
    await using project = await openTestProject(server);
    const task = newTask();
    const now = Date.now();
    const theirs = now + hours * 3_600_000;
    const record = recordOf(task, { dueAt: theirs + 7000, at: new Date(theirs).toISOString() });
    const entry = { key: task.id, revision: 1, value: encodeRecord(record) };
    const dueAfter = (writtenAt: number): number =>
      (knownFailure(project, { ...entry, writtenAt }, now)?.dueAt ?? NaN) - now;
    t.is(dueAfter(now), 7000);
    t.is(dueAfter(now - 3000), 4000);
    t.is(dueAfter(now - 60_000), 0);
    // The server's clock is ahead of ours.
    t.is(dueAfter(now + 60_000), 7000);
  });
}

test('failure: a pause of hours: cut to the longest that there is', async (t) => {
  await using project = await openTestProject(server);
  const task = newTask();
  const now = Date.now();
  const record = recordOf(task, { dueAt: now + 3 * 3_600_000, at: new Date(now).toISOString() });
  const entry = { key: task.id, revision: 1, writtenAt: now, value: encodeRecord(record) };
  t.is(knownFailure(project, entry, now)?.dueAt, now + 90_000);
});
