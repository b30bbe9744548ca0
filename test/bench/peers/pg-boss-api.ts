/**
 * What is used of pg-boss, which is not there when types are checked.
 *
 * @see https://pgboss.io, of version 12
 */
import { importFrom } from './peer-packages.ts';

/** What a job is given. */
export interface JobContent {
  readonly id: number;
  /** What it adds to the sum of what it takes, both known when it is sent. */
  readonly value: number;
  /** Who takes its result; 0: nobody. */
  readonly parent: number;
  /** So many jobs follow in a row, each of which adds 1 to the one before. */
  readonly hops: number;
}

export interface PgBossJob {
  readonly id: string;
  readonly data: JobContent;
}

export interface JobResult {
  readonly id: string;
  readonly status: 'completed';
  readonly output: { readonly value: number };
}

export interface PgBoss {
  on(event: 'error', listener: (error: Error) => void): void;
  start(): Promise<unknown>;
  stop(options: { readonly graceful: boolean }): Promise<void>;
  createQueue(name: string, options: { readonly notify: boolean }): Promise<void>;
  insert(name: string, jobs: readonly { readonly data: JobContent }[]): Promise<unknown>;
  work(
    name: string,
    options: {
      readonly batchSize: number;
      readonly burstWhenBatchFull: boolean;
      readonly perJobResults: boolean;
    },
    handler: (jobs: readonly PgBossJob[]) => Promise<readonly JobResult[]>,
  ): Promise<unknown>;
  getDb(): {
    /** What a row has is for the caller to know. */
    executeSql<Row>(
      text: string,
      values?: readonly unknown[],
    ): Promise<{ readonly rows: readonly Row[] }>;
  };
}

interface PgBossOptions {
  readonly connectionString: string;
  /** Workers are woken when jobs come, and need not poll twice a second. */
  readonly useListenNotify: boolean;
}

/** The one queue. */
export const pgBossQueue = 'bench';

/** A client that has been started; its errors end the process. */
export async function startPgBoss(packages: string, connectionString: string): Promise<PgBoss> {
  const api = (await importFrom(packages, 'pg-boss')) as {
    readonly PgBoss: new (options: PgBossOptions) => PgBoss;
  };
  const boss = new api.PgBoss({ connectionString, useListenNotify: true });
  boss.on('error', (error) => {
    throw error;
  });
  await boss.start();
  return boss;
}
