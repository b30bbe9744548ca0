/** What becomes of the tasks of a parcel whose worker died after it had failed with some of them. */
import test from 'ava';
import { once } from 'node:events';
import { Puller } from '../../broker/pull.ts';
import { parcelTask } from '../../core/dispatch.ts';
import { functionOf } from '../../core/graph.ts';
import { encodeParcel } from '../../core/parcel.ts';
import { encodeRecord, recordFormat, type FailureRecord } from '../../core/records.ts';
import { eventually } from '../kit/eventually.ts';
import { startTrial, trialAckWaitMs, type Trial } from '../kit/trial.ts';

const queue = 'default';

/** Takes the next message as a worker does that dies with it: nothing more is heard of it. */
async function takeAndDie({ project }: Trial): Promise<void> {
  const taken = new EventTarget();
  const puller = new Puller(project.connection, project.manager, project.names, {
    queue,
    ackWaitMs: trialAckWaitMs,
    onDelivery: () => taken.dispatchEvent(new Event('delivery')),
    onTrouble: () => undefined,
  });
  const delivered = once(taken, 'delivery');
  puller.setRoom(1);
  await delivered;
  puller.stop();
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
  const { plan, id } = run.progress;
  const { name, fingerprint } = functionOf(plan.graph, 0);
  const payload = encodeParcel(
    {
      ...{ run: id, code: plan.code, functionName: name, fingerprint, retries: 0 },
      ...{ quick: false, failFast: false, taken: false },
    },
    [0, 1, 2, 3, 4].map((task) => parcelTask(run.progress, task)),
  );
  await new Promise((settle) => {
    trial.project.queue.publish({ head, queue, payload }, settle);
  });
  await takeAndDie(trial);
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
  const started = worker.events.flatMap((e) => (e.kind === 'task-started' ? e.task : []));
  t.deepEqual(started.sort(), [head, struck, open].sort());
  t.is((await trial.failure(failed))?.worker, 'dead');
  t.is((await trial.failure(retried))?.kind, 'retry');
  t.is((await trial.failure(open))?.kind, 'final');
});
