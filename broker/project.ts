/** Everything of one project on the server, opened. */
import { setTimeout as delay } from 'node:timers/promises';
import type { JetStreamManager, NatsConnection } from 'nats';
import { JugqError } from '../core/errors.ts';
import type { Project } from '../core/identifiers.ts';
import { Blobs } from './blobs.ts';
import { Bucket } from './bucket.ts';
import { watchStore } from './lost-store.ts';
import { toJugqError } from './nats-errors.ts';
import { Publisher } from './publisher.ts';
import { Queue } from './queue.ts';
import { Results } from './results.ts';
import { ensureTopology, keepTopology, namesOf, type Names } from './topology.ts';
import { Unreadable } from './unreadable.ts';

export interface OpenProject {
  readonly names: Names;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  readonly publisher: Publisher;
  readonly queue: Queue;
  readonly results: Results;
  readonly failures: Bucket;
  readonly runs: Bucket;
  readonly workers: Bucket;
  readonly leases: Bucket;
  readonly blobs: Blobs;
  readonly plans: Blobs;
  readonly code: Blobs;
  readonly unreadable: Unreadable;
}

export interface ProjectOptions {
  readonly project: Project;
  readonly replicas: number;
  /** Told of each record that cannot be read here; default: nobody is. */
  readonly onUnreadable?: (message: string) => void;
  /** Called when the server has come back with another store; absent: nobody looks. */
  readonly onLost?: () => void;
}

/**
 * Opens a project, making what is missing of it.
 *
 * @throws JugqError when the server refuses
 */
export async function openProject(
  connection: NatsConnection,
  options: ProjectOptions,
): Promise<OpenProject> {
  const names = namesOf(options.project);
  requireRoomForMessages(connection);
  const manager = await connection.jetstreamManager({ checkAPI: false }).catch((error: unknown) => {
    throw toJugqError(error, 'opening the project');
  });
  await ensureTopology(manager, names, options.replicas);
  keepTopology(connection, manager, names, options.replicas);
  if (options.onLost !== undefined) watchStore(connection, manager, names, options.onLost);
  const publisher = new Publisher(connection);
  const parts = { connection, manager, publisher };
  const blobs = new Blobs(names.blobs, parts);
  return {
    names,
    ...parts,
    queue: new Queue(names, parts),
    results: new Results(names, { ...parts, blobs }),
    failures: new Bucket(names.failures, parts),
    runs: new Bucket(names.runs, parts),
    workers: new Bucket(names.workers, parts),
    leases: new Bucket(names.leases, parts),
    blobs,
    plans: new Blobs(names.plans, parts),
    code: new Blobs(names.code, parts),
    unreadable: new Unreadable(options.onUnreadable ?? ((): void => undefined)),
  };
}

/** Closes what `openProject` opened; the connection with it. What was said last gets away if the server is there. */
export async function closeProject({ publisher, connection }: OpenProject): Promise<void> {
  publisher.close();
  if (!connection.isClosed()) {
    const said = connection.flush().catch(() => undefined);
    await Promise.race([said, delay(farewellMs, undefined, { ref: false })]);
  }
  await connection.close();
}

const farewellMs = 250;

/** A parcel of several tasks, or a chunk of a large value, takes half of this at most. */
const payloadFloor = 512 * 1024;

function requireRoomForMessages({ info }: NatsConnection): void {
  const most = info?.max_payload ?? payloadFloor;
  if (most >= payloadFloor) return;
  throw new JugqError(
    'SERVER_FAILED',
    `max_payload of the server is ${most.toString()} bytes, jugq needs ${payloadFloor.toString()}: raise it in the server's configuration (its default is 1 MB)`,
  );
}
