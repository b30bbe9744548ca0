/**
 * What is used of BullMQ, which is not there when types are checked.
 *
 * @see https://docs.bullmq.io, of version 6
 */
import { importFrom } from './peer-packages.ts';

/** A job with a number, and with the results of those below it in its flow. */
export interface BullmqJob {
  readonly data: { readonly own: number };
  readonly returnvalue: unknown;
  /** Epoch ms. */
  readonly finishedOn?: number;
  getChildrenValues(): Promise<Readonly<Record<string, number>>>;
}

export interface NewJob {
  readonly name: string;
  readonly data: { readonly own: number };
  readonly opts: { readonly jobId: string };
}

/** A job and those whose results it takes. */
export interface FlowJob extends NewJob {
  readonly queueName: string;
  readonly children: FlowJob[];
}

export interface Connection {
  readonly host: string;
  readonly port: number;
  readonly maxRetriesPerRequest: null;
}

export interface Queue {
  waitUntilReady(): Promise<unknown>;
  addBulk(jobs: readonly NewJob[]): Promise<unknown>;
  getCompletedCount(): Promise<number>;
  getWaitingCount(): Promise<number>;
  getJobs(states: readonly string[]): Promise<readonly BullmqJob[]>;
  close(): Promise<void>;
}

export interface FlowProducer {
  waitUntilReady(): Promise<unknown>;
  add(flow: FlowJob): Promise<unknown>;
  close(): Promise<void>;
}

interface WorkerOptions {
  readonly connection: Connection;
  readonly concurrency: number;
}

export interface Bullmq {
  readonly Queue: new (name: string, options: { readonly connection: Connection }) => Queue;
  readonly FlowProducer: new (options: { readonly connection: Connection }) => FlowProducer;
  readonly Worker: new (
    name: string,
    processor: (job: BullmqJob) => Promise<number>,
    options: WorkerOptions,
  ) => { waitUntilReady(): Promise<unknown> };
}

/** The one queue. */
export const bullmqQueue = 'bench';

/** Imports it from where it was installed. */
export async function importBullmq(packages: string): Promise<Bullmq> {
  return (await importFrom(packages, 'bullmq')) as Bullmq;
}

/** How to reach a server on this machine; the retries are what BullMQ demands of a worker. */
export function connectionTo(port: number): Connection {
  return { host: '127.0.0.1', port, maxRetriesPerRequest: null };
}
