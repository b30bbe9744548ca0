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
 */
export function knownFailure(project: FailureStore, entry: Entry): KnownFailure | undefined {
  if (!isTaskId(entry.key)) return undefined;
  const { revision } = entry;
  const record = readFailure(project, entry);
  if (record === undefined) return { revision, kind: 'none', attempt: 0, dueAt: 0, expects: 0 };
  return {
    revision,
    kind: record.kind,
    attempt: record.attempt,
    // By the clock of whoever wrote it, which may be hours ahead of ours.
    dueAt: Math.min(record.dueAt ?? 0, Date.now() + retryMsMax),
    expects: record.expects,
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
