/** Failure records as the dispatcher needs them. */
import { isJugqError } from '../core/errors.ts';
import { isTaskId } from '../core/identifiers.ts';
import { decodeRecord, retryMsMax, type FailureRecord } from '../core/records.ts';
import type { KnownFailure } from '../core/run-progress.ts';
import type { Entry } from './bucket.ts';

/**
 * As `knownFailure`, of an entry that may be something else: undefined for a key that is no task's, and for a record of
 * another version or hand, which can say nothing about its task here.
 */
export function readFailure(entry: Entry): KnownFailure | undefined {
  if (!isTaskId(entry.key)) return undefined;
  try {
    return knownFailure(entry);
  } catch (error) {
    if (isJugqError(error, 'FORMAT_UNKNOWN') || isJugqError(error, 'VALUE_CORRUPT'))
      return undefined;
    throw error;
  }
}

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
    ms: record.ms,
  };
}
