/** What becomes of the tasks of a parcel that was delivered before. */
import test from 'ava';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inProgress, Puller, type Delivery, type Pulse } from '../../broker/pull.ts';
import { parcelTask } from '../../core/dispatch.ts';
import { functionOf, idOf } from '../../core/graph.ts';
import { encodeParcel } from '../../core/parcel.ts';
import { encodeRecord, recordFormat, type FailureRecord } from '../../core/records.ts';
import { eventually } from '../kit/eventually.ts';
import { startedBy, startTrial, trialAckWaitMs, type Trial } from '../kit/trial.ts';

const queue = 'default';

type Submitted = Awaited<ReturnType<Trial['submit']>>;

/** Publishes one parcel of these tasks, as the dispatcher would. */
async function publish(trial: Trial, run: Submitted, tasks: readonly number[]): Promise<void> {
  const { plan, id } = run.progress;
  const [first = 0] = tasks;
  const { name, fingerprint } = functionOf(plan.graph, first);
  const payload = encodeParcel(
    {
      ...{ run: id, code: plan.code, functionName: name, fingerprint, retries: 0 },
      ...{ quick: false, failFast: false, taken: false },
    },
    tasks.map((task) => parcelTask(run.progress, task)),
  );
  await new Promise((settle) => {
    trial.project.queue.publish({ head: idOf(plan.graph, first), queue, payload }, settle);
  });
}

/** Takes the next message as a worker does; nothing more is heard of it unless the test sees to it. */
async function take({ project }: Trial): Promise<Delivery & Pulse> {
  return new Promise((taken) => {
    const puller = new Puller(project.connection, project.manager, project.names, {
      queue,
      ackWaitMs: trialAckWaitMs,
      onDelivery: (delivery) => {
        puller.stop();
        taken(delivery);
      },
      onTrouble: () => undefined,
    });
    puller.setRoom(1);
  });
}

test('a worker that dies when some of its tasks have failed: these are not run again, the others are', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(`
    import { task } from 'jugq';
    const fails = task(function fails(i: number): number { throw new Error('no ' + i); });
    for (let i = 0; i < 5; i++) fails(i);
  `);
  const [head, failed, retried, struck, open] = trial.ids(run, 'fails');
  if (!head || !failed || !retried || !struck || !open) throw new Error('expected five tasks');
  await publish(trial, run, [0, 1, 2, 3, 4]);
  await take(trial);
  for (const [task, kind] of [
    [failed, 'final'],
    [retried, 'retry'],
    [struck, 'strike'],
  ] as const) {
    const record: FailureRecord = {
      ...{ format: recordFormat, kind, task, attempt: 1, strikes: 0, expects: 0 },
      ...(kind === 'retry' ? { dueAt: Date.now() + 1_000_000 } : {}),
      error: { name: 'Error', message: 'by the one that died', stack: '' },
      ...{ worker: 'dead', at: new Date().toISOString() },
    };
    await trial.project.failures.put(task, encodeRecord(record), 0);
  }
  const worker = await trial.startWorker();
  await eventually('the queue to be empty', async () => {
    return (await trial.project.queue.list()).length === 0;
  });
  t.deepEqual(startedBy(worker).sort(), [head, struck, open].sort());
  t.is((await trial.failure(failed))?.worker, 'dead');
  t.is((await trial.failure(retried))?.kind, 'retry');
  t.is((await trial.failure(open))?.kind, 'final');
});

test('a suspect that waits for a thread: is put on record when it gets it, not before', async (t) => {
  await using trial = await startTrial();
  const gate = join(tmpdir(), `jugq-gate-${process.pid.toString()}`);
  const run = await trial.submit(`
    import { existsSync, rmSync } from 'node:fs';
    import { setTimeout as delay } from 'node:timers/promises';
    import { task } from 'jugq';
    const suspect = task(function suspect() { return 1; });
    const quick = task(function quick(i: number) { return i; });
    const long = task(async function long(gate: string) {
      while (!existsSync(gate)) await delay(20);
      rmSync(gate);
      return 1;
    });
    suspect();
    for (let i = 0; i < 20; i++) quick(i);
    long(${JSON.stringify(gate)});
  `);
  await publish(trial, run, [0]);
  const delivery = await take(trial);
  const { connection, queue: messages } = trial.project;
  const beating = setInterval(() => {
    connection.publish(delivery.replySubject, inProgress);
  }, trialAckWaitMs / 4);
  // Quick tasks make the worker take several messages ahead.
  for (let task = 1; task <= 20; task++) await publish(trial, run, [task]);
  const worker = await trial.startWorker({ threads: 1 });
  const [long] = trial.ids(run, 'long');
  await eventually('the quick ones', () => {
    return worker.events.filter((each) => each.kind === 'parcel-acked').length === 20;
  });
  await publish(trial, run, [21]);
  await eventually('the long one', () =>
    worker.events.some((each) => each.kind === 'task-started' && each.task === long),
  );
  clearInterval(beating);
  delivery.handBack(0);
  await eventually('the suspect to be taken', () =>
    worker.events.some((each) => each.kind === 'parcel-taken' && each.deliveries === 2),
  );
  // More than enough for whatever would put it on record now.
  for (let turn = 0; turn < 50; turn++) await messages.list();
  await writeFile(gate, '');
  await eventually('the queue to be empty', async () => (await messages.list()).length === 0);
  const placeOf = (kind: string): number => worker.events.findIndex((each) => each.kind === kind);
  const computed = worker.events.findIndex(
    (each) => each.kind === 'result-computed' && each.task === long,
  );
  t.true(computed !== -1 && placeOf('struck') > computed);
  const [suspect] = trial.ids(run, 'suspect');
  t.is(suspect && (await trial.value(suspect)), 1);
  t.is(suspect && (await trial.failure(suspect)), undefined);
});

test('a worker that dies, and its tasks were marked meanwhile: none is run from that message', async (t) => {
  await using trial = await startTrial();
  const run = await trial.submit(`
    import { task } from 'jugq';
    const one = task(function one(i: number): number { return i; });
    for (let i = 0; i < 3; i++) one(i);
  `);
  const ids = trial.ids(run, 'one');
  await publish(trial, run, [0, 1, 2]);
  await take(trial);
  for (const id of ids) await trial.project.results.mark(id, 0);
  const worker = await trial.startWorker();
  await eventually('the queue to be empty', async () => {
    return (await trial.project.queue.list()).length === 0;
  });
  t.deepEqual(startedBy(worker), []);
  trial.startDispatcher();
  t.is((await trial.end(run)).state, 'finished');
  t.deepEqual(startedBy(worker).sort(), [...ids].sort());
});
