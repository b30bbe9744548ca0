/**
 * BullMQ on Redis, as its documentation recommends for throughput: jobs in bulk, many at a time in a worker; every write
 * in the append-only file, which is synced each second; chains and trees as flows, each handed in at once.
 */
import { connect } from 'node:net';
import { isCommand } from '../../../broker/server-command.ts';
import { freePorts } from '../../kit/server-process.ts';
import { expectEqual } from '../workload.ts';
import {
  bullmqQueue,
  connectionTo,
  importBullmq,
  type FlowJob,
  type FlowProducer,
  type NewJob,
  type Queue,
} from './bullmq-api.ts';
import type { BullmqWorkerSettings } from './bullmq-worker.ts';
import { installPackages } from './peer-packages.ts';
import {
  openDirectory,
  startPeerServer,
  startPeerWorkers,
  waitUntil,
  type Running,
} from './peer-processes.ts';
import {
  checkValues,
  figureOf,
  tasksOf,
  type Peer,
  type PeerTask,
  type PeerWork,
} from './peer-work.ts';

const versions = ['bullmq@6.7.0', 'ioredis@6.0.0'];
const concurrency = 100;
const bulk = 1000;

/** The peer. */
export const bullmq: Peer = {
  name: 'BullMQ',
  async prepare() {
    if (!(await isCommand('redis-server'))) {
      return 'there is no redis-server here: apt-get install redis-server';
    }
    await installPackages(versions);
    return undefined;
  },
  async measure(work) {
    const packages = await installPackages(versions);
    const api = await importBullmq(packages);
    const [port = 0] = await freePorts(1);
    await using directory = await openDirectory();
    await using _server = await startRedis(port, directory.path);
    await using _workers = await startPeerWorkers('bullmq-worker.ts', work.workers, {
      packages,
      port,
      concurrency: work.ms > 0 ? 1 : concurrency,
      ms: work.ms,
      isFlow: isFlow(work),
    } satisfies BullmqWorkerSettings);
    const connection = connectionTo(port);
    const [queue, flows] = [
      new api.Queue(bullmqQueue, { connection }),
      new api.FlowProducer({ connection }),
    ];
    await Promise.all([queue.waitUntilReady(), flows.waitUntilReady()]);
    try {
      return await carryOut(queue, flows, work);
    } finally {
      await Promise.all([queue.close(), flows.close()]);
    }
  },
};

async function startRedis(port: number, directory: string): Promise<Running> {
  const settings = [
    ['--port', port.toString()],
    ['--bind', '127.0.0.1'],
    ['--dir', directory],
    ['--appendonly', 'yes'],
    ['--appendfsync', 'everysec'],
    ['--save', ''],
    ['--maxmemory-policy', 'noeviction'],
  ];
  const answers = () =>
    new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('error', () => resolve(false));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
    });
  return startPeerServer({
    command: 'redis-server',
    args: settings.flat(),
    cwd: directory,
    answers,
  });
}

async function carryOut(queue: Queue, flows: FlowProducer, work: PeerWork): Promise<number> {
  const tasks = tasksOf(work);
  const startedAt = Date.now();
  if (isFlow(work)) await flows.add(flowOf(tasks));
  else await addAll(queue, tasks);
  if (work.shape === 'intake') {
    const seconds = (Date.now() - startedAt) / 1000;
    expectEqual('how many jobs wait', await queue.getWaitingCount(), work.tasks);
    return seconds;
  }
  await waitUntil('the last job', async () => (await queue.getCompletedCount()) === work.tasks);
  if (work.shape === 'again') return againSeconds(queue, work, tasks);
  const jobs = await queue.getJobs(['completed']);
  checkValues(
    work,
    jobs.map(({ returnvalue }) => returnvalue),
  );
  return figureOf(
    work,
    startedAt,
    jobs.map(({ finishedOn }) => finishedOn ?? NaN),
  );
}

/** A job whose id is there is not added again: the nearest that there is to a result that is known. */
async function againSeconds(queue: Queue, work: PeerWork, tasks: PeerTask[]): Promise<number> {
  const startedAt = performance.now();
  await addAll(queue, tasks);
  const seconds = (performance.now() - startedAt) / 1000;
  expectEqual('how many jobs wait', await queue.getWaitingCount(), 0);
  expectEqual('how many jobs are done', await queue.getCompletedCount(), work.tasks);
  return seconds;
}

async function addAll(queue: Queue, tasks: readonly PeerTask[]): Promise<void> {
  for (let at = 0; at < tasks.length; at += bulk) {
    await queue.addBulk(tasks.slice(at, at + bulk).map(jobOf));
  }
}

/** The one that nobody takes, with all others below it. */
function flowOf(tasks: readonly PeerTask[]): FlowJob {
  const jobs = new Map<number, FlowJob>();
  for (const task of tasks) {
    jobs.set(task.id, { ...jobOf(task), queueName: bullmqQueue, children: [] });
  }
  let root: FlowJob | undefined;
  for (const { id, parent } of tasks) {
    const job = jobs.get(id);
    if (job === undefined) continue;
    if (parent === 0) root = job;
    else jobs.get(parent)?.children.push(job);
  }
  if (root === undefined) throw new Error('expected a task that nobody takes');
  return root;
}

function jobOf({ id, own }: PeerTask): NewJob {
  return { name: 'add', data: { own }, opts: { jobId: `task-${id}` } };
}

function isFlow({ shape }: PeerWork): boolean {
  return shape === 'chain' || shape === 'fan-in' || shape === 'tree';
}
