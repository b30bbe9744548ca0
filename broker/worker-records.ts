/** The workers of a project, as their records show them, and which of them have fallen silent. */
import { decodeRecord, workerShape, type WorkerRecord } from '../core/records.ts';
import type { Entry } from './bucket.ts';
import type { OpenProject } from './project.ts';
import { toJugqError } from './nats-errors.ts';
import { bucketStream, presenceSilentMs } from './topology.ts';

/** A worker, and whether it has not renewed its record for a while: it was killed, stands still, or is cut off. */
export interface SeenWorker extends WorkerRecord {
  readonly silent: boolean;
}

/** All workers that have a record. Ages are by the server's clock alone. */
export async function readWorkers(project: OpenProject): Promise<SeenWorker[]> {
  const entries = await project.workers.list();
  if (entries.length === 0) return [];
  const now = await serverTime(project);
  return entries.flatMap((entry) => {
    const record = readWorker(project, entry);
    if (record === undefined) return [];
    return [{ ...record, silent: now - entry.writtenAt > presenceSilentMs }];
  });
}

/** The record in an entry of the workers' bucket; undefined for a delete marker, and for what cannot be read here. */
export function readWorker(
  { workers, unreadable }: Pick<OpenProject, 'workers' | 'unreadable'>,
  { key, value }: Entry,
): WorkerRecord | undefined {
  if (value === undefined) return undefined;
  return unreadable.attempt({ bucket: workers.name, key }, () =>
    decodeRecord<WorkerRecord>(value, `the record of worker ${key}`, workerShape),
  );
}

/** The server's clock, epoch ms. */
export async function serverTime(project: OpenProject): Promise<number> {
  try {
    const info = await project.manager.streams.info(bucketStream(project.workers.name));
    // The client's types do not know the time that servers since 2.10 add to their answers.
    const { ts } = info as { ts?: string };
    return ts === undefined ? Date.now() : Date.parse(ts);
  } catch (error) {
    throw toJugqError(error, 'reading the workers');
  }
}
