/** The records of runs, as they are read from their bucket. */
import { decodeRecord, runShape, type RunRecord } from '../core/records.ts';
import type { Bucket, Entry } from './bucket.ts';
import type { Unreadable } from './unreadable.ts';

/** Where runs are kept, and who is told of what cannot be read of it. */
export interface RunStore {
  readonly runs: Bucket;
  readonly unreadable: Unreadable;
}

/** The record in an entry of the runs' bucket; undefined for markers and wishes, and for what cannot be read here. */
export function readRun({ runs, unreadable }: RunStore, entry: Entry): RunRecord | undefined {
  const { key, value } = entry;
  if (value === undefined || key.includes('.')) return undefined;
  return unreadable.attempt({ bucket: runs.name, key }, () => decodeRun(value, key));
}

/**
 * Reads the record of a run.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodeRun(bytes: Uint8Array, id: string): RunRecord {
  return decodeRecord(bytes, `the record of run ${id}`, runShape);
}
