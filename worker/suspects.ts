/**
 * What a worker does with a message that was delivered before and never answered.
 *
 * Its worker may have died of it, or of something else: delivery counts accuse the innocent. So its tasks are looked up
 * first; if several are left, all but the first are published anew by themselves, and this message stands for the
 * first alone; and that one is run in a process of its own, with a record before it starts. A worker that sees that
 * process die has a proof, and a few of them make a task poison. Where the worker is gone as well, the task may have done
 * it, or a machine that was taken away: that has to happen more often before it counts as one.
 */
import { recordFormat, type FailureRecord } from '../core/records.ts';
import type { TaskId } from '../core/identifiers.ts';
import { encodeParcel, type Parcel, type ParcelTask } from '../core/parcel.ts';
import { fromBase32 } from '../core/base32.ts';
import { splitTaskId } from '../core/identifiers.ts';
import { hashBytes } from '../core/hash-index.ts';
import { readFailure } from '../broker/failures.ts';
import type { QueueOutcome } from '../broker/queue.ts';
import { putFailure, type StoreContext } from './store-outcome.ts';

/** So many processes may a task take down before it has failed for good, and so many workers vanish while it runs. */
const strikesMax = 3;
const vanishedMax = 10;

/** What is on record of a suspect; `settled`: how this attempt ended. */
export type Strike =
  | { readonly kind: 'struck'; readonly revision: number; readonly strikes: number }
  | {
      readonly kind: 'poison';
      readonly revision: number;
      readonly strikes: number;
      readonly why: string;
    }
  | { readonly kind: 'settled' };

/**
 * Records that a task is about to be run that may have killed its worker.
 *
 * A record of how this attempt or a later one ended stands: striking over it would lose a retry, and run an old attempt
 * in its place. Whoever writes in between is asked again, so that `settled` always means that such a record is there.
 *
 * @param died - its process has just died under this worker's eyes
 */
export async function strike(
  context: StoreContext,
  task: ParcelTask,
  died: boolean,
): Promise<Strike> {
  for (;;) {
    const entry = await context.project.failures.get(task.id);
    const known = entry && readFailure(context.project, entry);
    if (known !== undefined && isConcluded(known, task)) return { kind: 'settled' };
    const before = known?.kind === 'strike' ? known : { strikes: 0, vanished: 0 };
    const revision = entry?.revision ?? 0;
    const strikes = before.strikes + Number(died);
    // What the record announced has been heard of: the process died.
    const vanished = died ? 0 : (before.vanished ?? 0);
    const why = poisonous(strikes, vanished);
    if (why !== undefined) return { kind: 'poison', revision, strikes, why };
    const record = strikeRecord(context, task, { strikes, vanished: vanished + 1 });
    const written = await putFailure(context, record, revision);
    if (written === undefined) continue;
    context.trace({ kind: 'struck', task: task.id, strikes });
    return { kind: 'struck', revision: written, strikes };
  }
}

/**
 * Whether a record says that this attempt has ended, or a later one begun; one of before the last marker says nothing.
 */
function isConcluded(known: FailureRecord, task: ParcelTask): boolean {
  if (known.expects < task.expects) return false;
  if (known.attempt > task.attempt || known.kind === 'final') return true;
  return known.kind === 'retry' && known.attempt === task.attempt;
}

/** Those of the tasks whose attempt has ended in a failure that is on record: nothing is left to be done of them. */
export async function concluded(
  { project }: StoreContext,
  tasks: readonly ParcelTask[],
): Promise<TaskId[]> {
  const found = await Promise.all(
    tasks.map(async (task) => {
      const entry = await project.failures.get(task.id);
      const known = entry && readFailure(project, entry);
      return known !== undefined && isConcluded(known, task) ? [task.id] : [];
    }),
  );
  return found.flat();
}

/** What speaks against a task, if it is enough. */
function poisonous(strikes: number, vanished: number): string | undefined {
  if (strikes >= strikesMax) {
    return `its process died each time it was run (${strikes.toString()} times, the limit is ${strikesMax.toString()})`;
  }
  if (vanished >= vanishedMax) {
    return `its worker was gone each time it was run by itself (${vanished.toString()} times, the limit is ${vanishedMax.toString()})`;
  }
  return undefined;
}

function strikeRecord(
  context: StoreContext,
  task: ParcelTask,
  counts: { readonly strikes: number; readonly vanished: number },
): FailureRecord {
  return {
    format: recordFormat,
    kind: 'strike',
    task: task.id,
    attempt: task.attempt,
    ...counts,
    expects: task.expects,
    error: { name: 'Strike', message: 'a process may have died of it', stack: '' },
    worker: context.worker,
    at: new Date().toISOString(),
  };
}

/**
 * Publishes tasks of a parcel anew, each by itself.
 *
 * @returns false if the server did not take one of them
 */
export async function publishSingly(
  context: StoreContext,
  parcel: Parcel,
  queue: string,
  tasks: readonly ParcelTask[],
): Promise<boolean> {
  const { tasks: _all, ...facts } = parcel;
  const outcomes = await Promise.all(
    tasks.map(
      (task) =>
        new Promise<QueueOutcome>((resolve) => {
          const payload = encodeParcel(facts, [{ ...task, hash: hashOf(task.id) }]);
          context.project.queue.publish({ head: task.id, queue, payload }, resolve);
        }),
    ),
  );
  return !outcomes.includes('full');
}

function hashOf(id: TaskId): Uint8Array {
  const bytes = new Uint8Array(hashBytes);
  fromBase32(splitTaskId(id).hash, bytes, 0);
  return bytes;
}
