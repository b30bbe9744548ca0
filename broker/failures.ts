/** Failure records as the dispatcher needs them. */
import { decodeRecord, retryMsMax, type FailureRecord } from '../core/records.ts';
import type { KnownFailure } from '../core/run-progress.ts';
import type { Entry } from './bucket.ts';

/** What an entry of the failures bucket says; a delete marker says that nothing stands against the task. */
export function knownFailure(entry: Entry): KnownFailure {
  if (entry.value === undefined) {
    return { revision: entry.revision, kind: 'none', attempt: 0, dueAt: 0, expects: 0 };
  }
  const record = decodeRecord<FailureRecord>(entry.value, `the failure record of ${entry.key}`);
  return {
    revision: entry.revision,
    kind: record.kind,
    attempt: record.attempt,
    // By the clock of whoever wrote it, which may be hours ahead of ours.
    dueAt: Math.min(record.dueAt ?? 0, Date.now() + retryMsMax),
    expects: record.expects,
  };
}
