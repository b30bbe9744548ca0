/** Notices a server that has come back with another store: what was planned and computed is gone with the old one. */
import type { JetStreamManager, NatsConnection } from 'nats';
import type { WorkerRecord } from '../core/records.ts';
import { toJugqError } from './nats-errors.ts';
import type { OpenProject } from './project.ts';
import { onReconnect } from './reconnects.ts';
import { bucketStream, type Names } from './topology.ts';

/**
 * Calls `onLost` each time that the connection is back and finds that the project's runs have been made anew.
 *
 * A waiting planner plans again by itself; where none waits, only a word to people gets the work done.
 */
export function watchStore(
  connection: NatsConnection,
  manager: JetStreamManager,
  names: Names,
  onLost: () => void,
): void {
  const madeAt = async (): Promise<string> =>
    (await manager.streams.info(bucketStream(names.runs))).created;
  let last: string | undefined;
  const look = (): void => {
    madeAt().then(
      (created) => {
        if (last !== undefined && created !== last) onLost();
        last = created;
      },
      () => {
        // Being made again, or the server is away: asked for once more, as long as there is somebody to ask.
        if (!connection.isClosed()) setTimeout(look, againMs).unref();
      },
    );
  };
  look();
  onReconnect(connection, look);
}

const againMs = 1000;

/** Whether the runs were made after one of the workers was started, which makes them itself: a store was lost since. */
export async function isStoreYounger(
  { manager, names }: Pick<OpenProject, 'manager' | 'names'>,
  workers: readonly Pick<WorkerRecord, 'startedAt'>[],
): Promise<boolean> {
  if (workers.length === 0) return false;
  try {
    const { created } = await manager.streams.info(bucketStream(names.runs));
    const madeAt = Date.parse(created);
    return workers.some(({ startedAt }) => Date.parse(startedAt) + skewMs < madeAt);
  } catch (error) {
    throw toJugqError(error, 'reading the age of the runs');
  }
}

/** By so much the clocks of a worker and of the server may differ without a false alarm. */
const skewMs = 10_000;
