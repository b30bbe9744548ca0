/** A worker process of BullMQ: adds up what a job takes. */
import { setTimeout as delay } from 'node:timers/promises';
import { bullmqQueue, connectionTo, importBullmq } from './bullmq-api.ts';
import { ready, workerSettings } from './peer-processes.ts';

/** What it is started with. */
export interface BullmqWorkerSettings {
  /** Directory. */
  readonly packages: string;
  readonly port: number;
  readonly concurrency: number;
  readonly ms: number;
  /** Whether jobs take results of others: a question to the server for each. */
  readonly isFlow: boolean;
}

const { packages, port, concurrency, ms, isFlow } = workerSettings<BullmqWorkerSettings>();
const { Worker } = await importBullmq(packages);
const worker = new Worker(
  bullmqQueue,
  async (job) => {
    if (ms > 0) await delay(ms);
    if (!isFlow) return job.data.own;
    const taken = Object.values(await job.getChildrenValues());
    return taken.reduce((sum, each) => sum + each, job.data.own);
  },
  { connection: connectionTo(port), concurrency },
);
await worker.waitUntilReady();
ready();
