/**
 * Tasks that gave different results when they ran again, kept beside the failures: key `<task id>.difference`.
 *
 * The first result counts, and whoever comes second writes down that there was another one. A record tells only as long
 * as the result that it names stands.
 */
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import {
  decodeRecord,
  differenceShape,
  encodeRecord,
  recordFormat,
  type DifferenceRecord,
  type DifferingResult,
} from '../core/records.ts';
import type { Bucket } from './bucket.ts';
import type { Results } from './results.ts';
import type { Unreadable } from './unreadable.ts';

const keyEnd = '.difference';

/** Whether a key of the failures' bucket is that of a difference, and not of a task. */
export function isDifferenceKey(key: string): boolean {
  return key.endsWith(keyEnd);
}

/** Writes down that a task gave another result than the one that is stored. */
export async function recordDifference(
  failures: Bucket,
  difference: {
    readonly task: TaskId;
    readonly stored: DifferingResult;
    readonly other: DifferingResult;
  },
): Promise<void> {
  const at = new Date().toISOString();
  const record: DifferenceRecord = { format: recordFormat, ...difference, at };
  await failures.put(record.task + keyEnd, encodeRecord(record));
}

/** The differences that still tell: those of results that are there now, sorted by task. */
export async function readDifferences(project: {
  readonly failures: Bucket;
  readonly results: Results;
  readonly unreadable: Unreadable;
}): Promise<DifferenceRecord[]> {
  const entries = await project.failures.list(`*.*${keyEnd}`);
  const records = await Promise.all(
    entries.map(async ({ key, value }) => {
      if (value === undefined) return [];
      const record = project.unreadable.attempt({ bucket: project.failures.name, key }, () =>
        decodeRecord<DifferenceRecord>(value, `the record ${key}`, differenceShape),
      );
      if (record === undefined) return [];
      const result = await project.results.readLast(record.task);
      const stands = result?.present === true && result.facts?.digest === record.stored.digest;
      return stands ? [record] : [];
    }),
  );
  return records.flat().sort((a, b) => (a.task < b.task ? -1 : 1));
}

/** One line about all of them, for people; undefined if there are none. */
export function describeDifferences(differences: readonly DifferenceRecord[]): string | undefined {
  const [first, ...others] = differences;
  if (first === undefined) return undefined;
  const { functionName } = splitTaskId(first.task);
  const more = others.length === 0 ? '' : ` and ${others.length.toString()} more`;
  return `${first.task}${more} gave another result when run again; the first one counts: is ${functionName} deterministic?`;
}
