/** The streams and buckets of a project: a fixed handful, made on demand, found again by name. */
import { setTimeout as delay } from 'node:timers/promises';
import {
  DiscardPolicy,
  NatsError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type NatsConnection,
  type StreamConfig,
} from 'nats';
import type { Project, TaskId } from '../core/identifiers.ts';
import { isTransient, toJugqError } from './nats-errors.ts';
import { onReconnect } from './reconnects.ts';

/** Names of everything that a project has on the server. */
export interface Names {
  readonly project: Project;
  readonly tasks: string;
  readonly results: string;
  readonly failures: string;
  readonly runs: string;
  readonly workers: string;
  readonly leases: string;
  readonly blobs: string;
  readonly plans: string;
  readonly code: string;
}

/** The names for a project; a bucket's stream is `KV_` or `OBJ_` and its name. */
export function namesOf(project: Project): Names {
  const name = (part: string): string => `jugq-${project}-${part}`;
  return {
    project,
    tasks: name('tasks'),
    results: name('results'),
    failures: name('failures'),
    runs: name('runs'),
    workers: name('workers'),
    leases: name('leases'),
    blobs: name('blobs'),
    plans: name('plans'),
    code: name('code'),
  };
}

/** Subject of the queue message whose first task this is. */
export function taskSubject(names: Names, queue: string, head: TaskId): string {
  return `jugq.${names.project}.task.${queue}.${head}`;
}

/** Subjects of all messages of a queue. */
export function queueSubjects(names: Names, queue: string): string {
  return `jugq.${names.project}.task.${queue}.>`;
}

/** Subject of a key of a bucket. */
export function keySubject(bucket: string, key: string): string {
  return `$KV.${bucket}.${key}`;
}

/** Stream behind a key-value bucket. */
export function bucketStream(bucket: string): string {
  return `KV_${bucket}`;
}

/** Stream behind an object store. */
export function objectStream(name: string): string {
  return `OBJ_${name}`;
}

/** How often a worker renews its record, and after how long without that it is silent: dead, or cut off. */
export const presenceRenewMs = 5000;
export const presenceSilentMs = 3 * presenceRenewMs;
/** Only tidies up: until then a worker that was killed is seen to be silent. */
const presenceTtlMs = 60_000;
/**
 * Only tidies up after a lease: whoever competes for it keeps time itself. Longer than any lease that makes sense, so
 * that an entry never goes between two renewals.
 */
const leaseTtlMs = 86_400_000;
/** A cluster that starts may take this long to have a leader. */
const ensureMs = 15_000;
const retryMs = 250;
/** How often streams are looked for that somebody has deleted. */
const keepEveryMs = 30_000;

/**
 * Makes whatever is missing of a project's streams and buckets.
 *
 * What is there stays as it is, so that an operator's limits and placement are kept. It is not even asked for: in a
 * cluster, each request for a stream that is there changes the time of its creation, for which a node that was down may
 * make it anew and lose its data (nats-server, pull request 8449; 2.14.4 is among those that do).
 *
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
 */
export async function ensureTopology(
  manager: JetStreamManager,
  names: Names,
  replicas: number,
): Promise<void> {
  const until = performance.now() + ensureMs;
  const missing = await missingOf(manager, configurations(names, replicas), until);
  await Promise.all(missing.map((each) => ensureStream(manager, each, until)));
}

async function missingOf(
  manager: JetStreamManager,
  wanted: readonly Partial<StreamConfig>[],
  until: number,
): Promise<Partial<StreamConfig>[]> {
  for (;;) {
    try {
      const there = new Set<string>();
      for await (const name of manager.streams.names()) there.add(name);
      return wanted.filter(({ name = '' }) => !there.has(name));
    } catch (error) {
      if (!isTransient(error) || performance.now() > until)
        throw toJugqError(error, 'listing the streams');
    }
    await delay(retryMs);
  }
}

/**
 * Makes the project's streams again whenever the server has lost them, until the connection is closed.
 *
 * Without the bucket of the lease nobody could dispatch, and so nobody would make it.
 */
export function keepTopology(
  connection: NatsConnection,
  manager: JetStreamManager,
  names: Names,
  replicas: number,
): void {
  const keep = (): void => {
    // A server that is away or full now is asked again next time; whoever needs the stream says what is wrong.
    ensureTopology(manager, names, replicas).catch(() => undefined);
  };
  const timer = setInterval(keep, keepEveryMs).unref();
  onReconnect(connection, keep);
  void connection.closed().then(() => {
    clearInterval(timer);
  });
}

function configurations(names: Names, replicas: number): Partial<StreamConfig>[] {
  const common = { storage: StorageType.File, num_replicas: replicas };
  return [
    {
      ...common,
      name: names.tasks,
      subjects: [`jugq.${names.project}.task.>`],
      retention: RetentionPolicy.Workqueue,
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
      allow_direct: true,
    },
    ...[names.results, names.failures, names.runs].map((each) => ({ ...common, ...bucket(each) })),
    { ...common, ...bucket(names.workers), max_age: presenceTtlMs * 1e6 },
    { ...common, ...bucket(names.leases), max_age: leaseTtlMs * 1e6 },
    ...[names.blobs, names.plans, names.code].map((each) => ({ ...common, ...objects(each) })),
  ];
}

function bucket(name: string): Partial<StreamConfig> {
  return {
    name: bucketStream(name),
    subjects: [`$KV.${name}.>`],
    max_msgs_per_subject: 1,
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    deny_delete: true,
    allow_direct: true,
  };
}

function objects(name: string): Partial<StreamConfig> {
  return {
    name: objectStream(name),
    subjects: [`$O.${name}.C.>`, `$O.${name}.M.>`],
    discard: DiscardPolicy.New,
    allow_rollup_hdrs: true,
    allow_direct: true,
  };
}

/** `stream name already in use`: it exists with another configuration. */
const streamExists = 10058;

async function ensureStream(
  manager: JetStreamManager,
  config: Partial<StreamConfig>,
  until: number,
): Promise<void> {
  for (;;) {
    try {
      await manager.streams.add(config);
      return;
    } catch (error) {
      if (error instanceof NatsError && error.api_error?.err_code === streamExists) return;
      if (!(isTransient(error) || isPlacing(error)) || performance.now() > until) {
        throw toJugqError(error, `making the stream ${String(config.name)}`);
      }
    }
    await delay(retryMs);
  }
}

/** `no suitable peers for placement`: too few servers for the replicas, or a cluster that has not seen all of them yet. */
function isPlacing(error: unknown): boolean {
  return error instanceof NatsError && error.api_error?.err_code === 10005;
}
