/**
 * What a worker does with a message that was delivered before and never answered.
 *
 * Its worker may have died of it, or of something else: delivery counts accuse the innocent. So its tasks are looked up
 * first; if several are left, all but the first are published anew by themselves, and this message stands for the
 * first alone; and that one is run in a process of its own, with a strike on record before it starts. Only strikes
 * make a task poison.
 */
import { decodeRecord, recordFormat, type FailureRecord } from '../core/records.ts';
import type { TaskId } from '../core/identifiers.ts';
import { encodeParcel, type Parcel, type ParcelTask } from '../core/parcel.ts';
import { fromBase32 } from '../core/base32.ts';
import { splitTaskId } from '../core/identifiers.ts';
import { hashBytes } from '../core/hash-index.ts';
import type { QueueOutcome } from '../broker/queue.ts';
import { putFailure, type StoreContext } from './store-outcome.ts';

/** So many processes may a task take down before it has failed for good. */
export const strikesMax = 3;

/** Strikes on record after one more; `settled`: how this attempt ended is on record. */
export type Strike =
  | { readonly kind: 'struck'; readonly revision: number; readonly strikes: number }
  | { readonly kind: 'poison'; readonly revision: number; readonly strikes: number }
  | { readonly kind: 'settled' };

/**
 * Records that a task is about to be run that may have killed its worker.
 *
 * A record of how this attempt or a later one ended stands: striking over it would lose a retry, and run an old attempt
 * in its place. Whoever writes in between is asked again, so that `settled` always means that such a record is there.
 */
export async function strike(context: StoreContext, task: ParcelTask): Promise<Strike> {
  for (;;) {
    const entry = await context.project.failures.get(task.id);
    const known =
      entry?.value === undefined
        ? undefined
        : decodeRecord<FailureRecord>(entry.value, `the failure record of ${task.id}`);
    if (known !== undefined && isConcluded(known, task)) return { kind: 'settled' };
    const before = known?.kind === 'strike' ? known.strikes : 0;
    const revision = entry?.revision ?? 0;
    if (before >= strikesMax) return { kind: 'poison', revision, strikes: before };
    const strikes = before + 1;
    const written = await putFailure(context, strikeRecord(context, task, strikes), revision);
    if (written === undefined) continue;
    context.trace({ kind: 'struck', task: task.id, strikes });
    return { kind: 'struck', revision: written, strikes };
  }
}

/** Whether a record says how this attempt, or a later one, ended; one of before the last marker says nothing. */
function isConcluded(known: FailureRecord, task: ParcelTask): boolean {
  if (known.kind === 'strike' || known.expects < task.expects) return false;
  return known.kind === 'final' || known.attempt >= task.attempt;
}

function strikeRecord(context: StoreContext, task: ParcelTask, strikes: number): FailureRecord {
  return {
    format: recordFormat,
    kind: 'strike',
    task: task.id,
    attempt: task.attempt,
    strikes,
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
