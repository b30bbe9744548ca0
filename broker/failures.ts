/** Failure records as the dispatcher needs them. */
import { isTaskId } from '../core/identifiers.ts';
import { decodeRecord, failureShape, retryMsMax, type FailureRecord } from '../core/records.ts';
import type { KnownFailure } from '../core/run-progress.ts';
import type { Bucket, Entry } from './bucket.ts';
import type { Unreadable } from './unreadable.ts';

/** Where failures are kept, and who is told of what cannot be read of it. */
export interface FailureStore {
  readonly failures: Bucket;
  readonly unreadable: Unreadable;
}

/**
 * What an entry of the failures' bucket says of its task; undefined for a key that is no task's.
 *
 * A delete marker says that nothing stands against the task. A record that cannot be read here says no more: the task is
 * run again, and what comes of that replaces the record.
 *
 * @param now - epoch ms
 */
export function knownFailure(
  project: FailureStore,
  entry: Entry,
  now = Date.now(),
): KnownFailure | undefined {
  if (!isTaskId(entry.key)) return undefined;
  const { revision } = entry;
  const record = readFailure(project, entry);
  if (record === undefined) return { revision, kind: 'none', attempt: 0, dueAt: 0, expects: 0 };
  return {
    revision,
    kind: record.kind,
    attempt: record.attempt,
    dueAt: record.kind === 'retry' ? now + pauseLeft(record, now - entry.writtenAt) : 0,
    expects: record.expects,
    ms: record.ms,
  };
}

/** The record in an entry of the failures' bucket; undefined for a delete marker, and for what cannot be read here. */
export function readFailure(
  { failures, unreadable }: FailureStore,
  { key, value }: Entry,
): FailureRecord | undefined {
  if (value === undefined) return undefined;
  return unreadable.attempt({ bucket: failures.name, key }, () =>
    decodeRecord<FailureRecord>(value, `the failure record of ${key}`, failureShape),
  );
}

/**
 * Milliseconds until a retry is due. Only the pause that its worker chose counts, by that worker's own clock, which may
 * be hours off; how much of it is over is told by the server's clock and ours.
 */
function pauseLeft({ dueAt = 0, at }: FailureRecord, age: number): number {
  const pause = dueAt - Date.parse(at);
  if (!(pause > 0)) return 0;
  return Math.max(0, Math.min(pause, retryMsMax) - Math.max(0, age));
}
