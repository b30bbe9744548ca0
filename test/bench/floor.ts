/**
 * What the server can do: the same work with nothing around it.
 *
 * One process publishes with a window of messages under way; others consume, put a result for each message and
 * acknowledge it when that is stored; the first process counts the results as they come. The streams are made as jugq
 * makes its own, the subjects and ids are as long, and a message carries what a task needs. What jugq does beyond that
 * (plans, threads, headers, conditions on writes, who runs what) is what the ratio tells.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { encode } from 'cbor-x';
import {
  AckPolicy,
  connect,
  DeliverPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type NatsConnection,
} from 'nats';
import { rawPublisher, type RawPublisher } from './raw-publisher.ts';

/** The message of a task. */
export interface RawTask {
  readonly id: string;
  readonly f: string;
  readonly args: readonly number[];
}

/** What the processes of the floor call what they share. */
export const floorNames = { stream: 'floor', consumer: 'workers', bucket: 'floor-results' };

/** Work for the floor. */
export interface FloorWork {
  readonly tasks: number;
  /** Consuming processes. */
  readonly workers: number;
  /** All at once, or each when the one before it has its result. */
  readonly shape: 'flood' | 'chain';
  /** How many times the same processes have done as much before; absent: never. */
  readonly roundsBefore?: number;
}

/** How long it took. */
export interface FloorTimes {
  /** From the first message to the last result. */
  readonly seconds: number;
  /** From the first result to the last. */
  readonly resultsSeconds: number;
}

const deadlineMs = 120_000;
const completions = '_floor.completions';
/** So that acknowledgements are read while the messages of a flood are sent. */
const turnEvery = 256;

/**
 * Does the work on a server that has done nothing else.
 *
 * @param url - of a server with JetStream
 */
export async function measureFloor(url: string, work: FloorWork): Promise<FloorTimes> {
  const connection = await connect({ servers: url });
  const children: ChildProcess[] = [];
  try {
    await prepare(connection);
    for (let at = 0; at < work.workers; at++) children.push(await startWorker(url));
    return await carryOut(connection, work);
  } finally {
    await Promise.all(children.map(stopWorker));
    await connection.close();
  }
}

async function prepare(connection: NatsConnection): Promise<void> {
  const manager = await connection.jetstreamManager();
  await manager.streams.add({
    name: floorNames.stream,
    subjects: [`${floorNames.stream}.>`],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
    max_msgs_per_subject: 1,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    allow_direct: true,
  });
  await connection
    .jetstream()
    .views.kv(floorNames.bucket, { history: 1, storage: StorageType.File });
  await manager.consumers.add(floorNames.stream, {
    durable_name: floorNames.consumer,
    ack_policy: AckPolicy.Explicit,
    ack_wait: 60e9,
    max_ack_pending: 50_000,
  });
}

async function startWorker(url: string): Promise<ChildProcess> {
  const program = fileURLToPath(new URL('./floor-worker.ts', import.meta.url));
  const child = fork(program, [], { env: { ...process.env, FLOOR_SERVER: url } });
  await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error('a consuming process of the floor ended before it was ready');
    }),
  ]);
  return child;
}

async function stopWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.disconnect();
  await gone;
}

async function carryOut(connection: NatsConnection, work: FloorWork): Promise<FloorTimes> {
  const publisher = rawPublisher(connection);
  let onResult: () => void = () => undefined;
  connection.subscribe(completions, {
    callback: () => {
      onResult();
    },
  });
  await followResults(connection);
  const { tasks, shape, roundsBefore = 0 } = work;
  const round = async (first: number): Promise<FloorTimes> => {
    let results = 0;
    let firstAt = 0;
    const lastResult = new Promise<number>((resolve) => {
      onResult = () => {
        if (++results === 1) firstAt = performance.now();
        if (results === tasks) resolve(performance.now());
        else if (shape === 'chain') publish(publisher, first + results);
      };
    });
    const startedAt = performance.now();
    if (shape === 'flood') await publishAll(publisher, first, tasks);
    else publish(publisher, first);
    const endedAt = await inTime(lastResult);
    return { seconds: (endedAt - startedAt) / 1000, resultsSeconds: (endedAt - firstAt) / 1000 };
  };
  for (let before = 0; before < roundsBefore; before++) await round(before * tasks);
  return round(roundsBefore * tasks);
}

async function inTime(lastResult: Promise<number>): Promise<number> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${deadlineMs} ms in vain for the last result of the floor`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([lastResult, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function followResults(connection: NatsConnection): Promise<void> {
  const manager = await connection.jetstreamManager();
  await manager.consumers.add(`KV_${floorNames.bucket}`, {
    deliver_subject: completions,
    ack_policy: AckPolicy.None,
    deliver_policy: DeliverPolicy.New,
    headers_only: true,
    mem_storage: true,
  });
}

async function publishAll(publisher: RawPublisher, first: number, tasks: number): Promise<void> {
  for (let number = first; number < first + tasks; number++) {
    const room = publisher.room();
    if (room !== undefined) await room;
    publish(publisher, number);
    if (number % turnEvery === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

function publish(publisher: RawPublisher, number: number): void {
  const id = `next.${number.toString(36).padStart(32, '0')}`;
  const task: RawTask = { id, f: 'next', args: [number] };
  publisher.send(`${floorNames.stream}.default.${id}`, encode(task), () => undefined);
}
