/**
 * Where a workload is measured: a server that has done nothing else, a user's directory with the jugfiles, the real
 * commands in it, and somebody who watches the project from outside.
 *
 * The watcher reads the records as they are written and, at the end, the times at which the server stored the first
 * and the last result. While tasks run it does next to nothing, so that it takes no time from what it measures.
 */
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection } from 'nats';
import { bucketStream, ensureTopology, keySubject, namesOf } from '../../broker/topology.ts';
import { decodeValue } from '../../core/codec.ts';
import { parseProject } from '../../core/identifiers.ts';
import {
  decodeRecord,
  isOver,
  type LeaseRecord,
  type RunRecord,
  type WorkerRecord,
} from '../../core/records.ts';
import { userDirectory, type Started, type UserDirectory } from '../kit/cli.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

/** What the project is called on the server. */
export const stageNames = namesOf(parseProject('bench'));
const names = stageNames;
const deadlineMs = 300_000;
/** Often enough for what takes half a minute, and no burden for the server. */
const lookEveryMs = 200;
const living = new Set<Started>();

// A benchmark that is interrupted must leave no worker behind, which would look for its server for ever.
process.on('exit', () => {
  for (const worker of living) worker.process.kill('SIGKILL');
});

/** A run as `jugq plan` left it. Times are epoch ms. */
export interface PlannedRun {
  readonly id: string;
  /** The command was started. */
  readonly startedAt: number;
  /**
   * The plan was stored and the run declared ready to be run, which is when publishing may begin: a dispatcher learns
   * of the run from this very record. A run with nothing to do ends here.
   */
  readonly submittedAt: number;
}

/** When the server stored results, epoch ms, and how many it has. */
export interface ResultTimes {
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
}

/** A server, a user's directory and a watcher; all of it ends with the scope of `await using`. */
export interface Stage extends AsyncDisposable {
  readonly server: TestServer;
  readonly user: UserDirectory;
  /** Starts `jugq worker`, so many times, and waits until they are there and one of them dispatches. */
  startWorkers(count: number, ...flags: string[]): Promise<readonly Started[]>;
  /** Runs `jugq plan` on one of the jugfiles here, and returns when it has. */
  plan(jugfile: string, ...args: string[]): Promise<PlannedRun>;
  /** Process id of whoever renewed the lease last. */
  dispatcherPid(): number;
  /** Waits until there are so many results. */
  results(count: number): Promise<void>;
  /** Waits until the run is finished. */
  end(run: PlannedRun): Promise<void>;
  resultTimes(): Promise<ResultTimes>;
  /** All results, in the order of their storing. */
  values(): Promise<unknown[]>;
}

/** Starts a server and puts the jugfiles there. */
export async function openStage(binary: string): Promise<Stage> {
  const server = await startServer({ binary });
  const user = await userDirectory(await jugfiles(), {
    JUGQ_SERVER: server.url,
    JUGQ_PROJECT: names.project,
  });
  const connection = await connect({ servers: server.url });
  const manager = await connection.jetstreamManager();
  await ensureTopology(manager, names, 1);
  const watcher = watch(connection);
  return {
    server,
    user,
    async startWorkers(count, ...flags) {
      const started = Array.from({ length: count }, () => startWorker(user, flags));
      await watcher.waitFor('the workers and a dispatcher', () =>
        watcher.dispatcherPid() !== undefined && started.every(({ pid }) => watcher.hasWorker(pid))
          ? true
          : undefined,
      );
      return started;
    },
    async plan(jugfile, ...args) {
      const startedAt = Date.now();
      const summary = await user.json<{ run: string }>('plan', '--json', jugfile, ...args);
      const submitted = await watcher.waitFor('the record of the run', () =>
        watcher.firstRecord(summary.run, (record) => record.state !== 'planning'),
      );
      return { id: summary.run, startedAt, submittedAt: submitted.at };
    },
    async end({ id }) {
      const over = await watcher.waitFor('the end of the run', () =>
        watcher.firstRecord(id, (record) => isOver(record.state)),
      );
      const { state } = over.record;
      if (state !== 'finished') throw new Error(`expected the run to be finished, got ${state}`);
    },
    dispatcherPid: () => watcher.dispatcherPid() ?? -1,
    async results(count) {
      const until = performance.now() + deadlineMs;
      for (;;) {
        const { state } = await manager.streams.info(bucketStream(names.results));
        if (state.messages >= count) return;
        if (performance.now() > until) throw new Error(`waited in vain for ${count} results`);
        await delay(lookEveryMs);
      }
    },
    async resultTimes() {
      const { state } = await manager.streams.info(bucketStream(names.results));
      return {
        firstAt: epochMs(state.first_ts),
        lastAt: epochMs(state.last_ts),
        count: state.messages,
      };
    },
    values: () => readValues(connection),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await user[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

function startWorker(user: UserDirectory, flags: readonly string[]): Started {
  const worker = user.start('worker', ...flags);
  living.add(worker);
  worker.process.once('exit', () => living.delete(worker));
  return worker;
}

/** From the start of the command until the run is declared ready. */
export function secondsToPlan({ startedAt, submittedAt }: PlannedRun): number {
  return (submittedAt - startedAt) / 1000;
}

/** Ends workers as a user would, with a signal, and waits for them. */
export async function stopWorkers(workers: readonly Started[]): Promise<void> {
  for (const worker of workers) worker.process.kill('SIGTERM');
  await Promise.all(workers.map((worker) => worker.finished));
}

async function jugfiles(): Promise<Record<string, string>> {
  const directory = new URL('jugfiles/', import.meta.url);
  const files = await readdir(directory);
  const texts = files.map(async (file) => {
    return [file, await readFile(new URL(file, directory), 'utf8')] as const;
  });
  return Object.fromEntries(await Promise.all(texts));
}

interface SeenRecord {
  readonly record: RunRecord;
  /** Epoch ms. */
  readonly at: number;
}

interface Watcher {
  /** Asks now and after whatever is seen, until there is an answer. */
  waitFor<T>(what: string, ask: () => T | undefined): Promise<T>;
  firstRecord(run: string, wanted: (record: RunRecord) => boolean): SeenRecord | undefined;
  hasWorker(pid: number): boolean;
  /** Of the last lease; undefined before the first. */
  dispatcherPid(): number | undefined;
}

/** Sees every record at the moment of its writing; one that is replaced at once is seen all the same. */
function watch(connection: NatsConnection): Watcher {
  const records: SeenRecord[] = [];
  const workers = new Set<number>();
  const askers = new Set<() => void>();
  let dispatcher: number | undefined;
  const see = (bucket: string, take: (value: Uint8Array) => void): void => {
    connection.subscribe(keySubject(bucket, '>'), {
      callback: (_error, message) => {
        if (message.data.length === 0) return;
        take(message.data);
        for (const ask of [...askers]) ask();
      },
    });
  };
  see(names.runs, (value) => {
    const record = decodeRecord<RunRecord>(value, 'the record of a run');
    records.push({ record, at: Date.now() });
  });
  see(names.workers, (value) => {
    workers.add(decodeRecord<WorkerRecord>(value, 'the record of a worker').pid);
  });
  see(names.leases, (value) => {
    dispatcher = decodeRecord<LeaseRecord>(value, 'the lease').pid;
  });
  return {
    firstRecord: (run, wanted) => records.find(({ record }) => record.id === run && wanted(record)),
    hasWorker: (pid) => workers.has(pid),
    dispatcherPid: () => dispatcher,
    waitFor: (what, ask) => answered(askers, what, ask),
  };
}

function answered<T>(askers: Set<() => void>, what: string, ask: () => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      askers.delete(look);
      reject(new Error(`waited ${deadlineMs} ms in vain for ${what}`));
    }, deadlineMs);
    const look = (): void => {
      const answer = ask();
      if (answer === undefined) return;
      clearTimeout(timer);
      askers.delete(look);
      resolve(answer);
    };
    askers.add(look);
    look();
  });
}

/** NATS writes nanoseconds, of which `Date` keeps the milliseconds. */
function epochMs(timestamp: string): number {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? '';
  const whole = Date.parse(timestamp.replace(/\.\d+/, ''));
  return whole + Number(`0.${fraction}0`) * 1000;
}

async function readValues(connection: NatsConnection): Promise<unknown[]> {
  const consumer = await connection.jetstream().consumers.get(bucketStream(names.results));
  const { num_pending: pending } = await consumer.info();
  if (pending === 0) return [];
  const values: unknown[] = [];
  const messages = await consumer.consume({ max_messages: 5000 });
  for await (const message of messages) {
    values.push(decodeValue(message.data));
    if (message.info.pending === 0) break;
  }
  await messages.close();
  return values;
}
