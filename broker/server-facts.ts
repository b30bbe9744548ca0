/** What a client can learn of the server that it is connected to, beyond what it needs. */
import { taskId } from '../core/identifiers.ts';
import { toJugqError } from './nats-errors.ts';
import type { OpenProject } from './project.ts';
import { serverTime } from './worker-records.ts';

export interface ServerFacts {
  readonly version: string;
  /** Undefined: it stands alone. */
  readonly cluster: string | undefined;
  /** Largest message, bytes. */
  readonly messageBytesMax: number;
  readonly roundTripMs: number;
  /** How far this machine's clock is ahead of the server's, ms; give or take the round trip. */
  readonly clockAheadMs: number;
  readonly storage: Limited;
  readonly streams: Limited;
}

/** How much is used; without `max` there is no limit. */
export interface Limited {
  readonly used: number;
  readonly max?: number;
}

/**
 * Asks the server about itself.
 *
 * @throws JugqError `SERVER_REFUSED`, `SERVER_FAILED`
 */
export async function readServerFacts(project: OpenProject): Promise<ServerFacts> {
  const { connection, manager } = project;
  try {
    const roundTripMs = await connection.rtt();
    const account = await manager.getAccountInfo();
    const ahead = Date.now() - (await serverTime(project));
    return {
      version: connection.info?.version ?? 'unknown',
      cluster: connection.info?.cluster,
      messageBytesMax: connection.info?.max_payload ?? 0,
      roundTripMs,
      clockAheadMs: ahead,
      storage: limited(account.storage, account.limits.max_storage),
      streams: limited(account.streams, account.limits.max_streams),
    };
  } catch (error) {
    throw toJugqError(error, 'asking the server about itself');
  }
}

/**
 * Writes and reads as a worker does: leaves a delete marker on a key that no task has.
 *
 * @throws JugqError `SERVER_FULL`, `SERVER_REFUSED`, `SERVER_FAILED`
 */
export async function tryWriting(project: OpenProject): Promise<void> {
  const probe = taskId('doctor', 'probe');
  const before = await project.results.readFromLeader(probe);
  const outcome = await project.results.mark(probe, before?.revision ?? 0);
  // Another doctor may have been quicker: the server writes, which is all that matters.
  if (outcome.kind !== 'stored' && (await project.results.readFromLeader(probe)) === undefined)
    throw toJugqError(outcome, 'writing to the results');
}

/** A limit of 0 or below is none. */
function limited(used: number, max: number): Limited {
  return max > 0 ? { used, max } : { used };
}
