/** What jugq costs beside the tasks: how soon commands answer, and what a worker takes that has nothing to do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { expectOneTo } from './expected-values.ts';
import { residentMib } from './resident.ts';
import { openStage, stopWorkers } from './stage.ts';
import type { Workload } from './workload.ts';

const idleSeconds = 20;
/** A worker that has just come looks around for a while, and the engine tidies up the heaps of its threads. */
const settleMs = 30_000;
/** Ticks of `/proc/<pid>/stat` a second: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** Enough to last until the last question is answered. */
const busyTasks = 150_000;
const busyFrom = 10_000;
const busyQuestions = 3;

const memoryThreads = 4;

/** The workloads, in the order in which they are measured. */
export const standingWorkloads: readonly Workload[] = [
  {
    name: 'help',
    what: 'jugq --help',
    unit: 'ms',
    goal: { of: 'value', bound: 'at most', limit: 150 },
    repeats: 5,
    measure: (binary) => startUpMs(binary, ['--help']),
    floor: emptyProgramMs,
  },
  {
    name: 'status',
    what: 'jugq status of an empty project',
    unit: 'ms',
    repeats: 5,
    measure: (binary) => startUpMs(binary, ['status']),
    floor: emptyProgramMs,
  },
  {
    name: 'status-busy',
    what: `jugq status while ${busyTasks} no-op tasks run on 1 worker`,
    unit: 'ms',
    goal: { of: 'value', bound: 'at most', limit: 500 },
    repeats: 2,
    measure: busyStatusMs,
    floor: emptyProgramMs,
  },
  {
    name: 'first-task',
    what: 'from the start of jugq worker to its first result',
    unit: 'ms',
    goal: { of: 'value', bound: 'at most', limit: 600 },
    repeats: 3,
    async measure(binary) {
      await using stage = await openStage(binary);
      // Its own dispatcher has published the task when this returns, and has given up its lease.
      await stage.plan('many.ts', '1');
      const startedAt = Date.now();
      const worker = stage.user.start('worker', '--exit-when-done');
      await worker.finished;
      expectOneTo(1, await stage.values());
      return [(await stage.resultTimes()).firstAt - startedAt];
    },
  },
  {
    name: 'idle',
    what: `a worker and its server, over ${idleSeconds} s`,
    unit: '% of a core',
    goal: { of: 'value', bound: 'at most', limit: 1 },
    repeats: 1,
    async measure(binary) {
      await using stage = await openStage(binary);
      const workers = await stage.startWorkers(1);
      const pids = [stage.server.pid, ...workers.map(({ pid }) => pid)];
      await delay(settleMs);
      const [before, startedAt] = [await processorSeconds(pids), performance.now()];
      await delay(idleSeconds * 1000);
      const [after, endedAt] = [await processorSeconds(pids), performance.now()];
      await stopWorkers(workers);
      return [(100_000 * (after - before)) / (endedAt - startedAt)];
    },
  },
  {
    name: 'memory',
    what: `a worker of ${memoryThreads} threads that has run nothing; beside it an empty Node`,
    unit: 'MiB resident',
    goal: { of: 'value', bound: 'at most', limit: 250 },
    repeats: 1,
    async measure(binary) {
      await using stage = await openStage(binary);
      const workers = await stage.startWorkers(1, '-j', memoryThreads.toString());
      await delay(settleMs);
      const sizes = await Promise.all(workers.map(({ pid }) => residentMib(pid)));
      await stopWorkers(workers);
      return sizes;
    },
    floor: emptyProgramMib,
  },
];

/** Asked by a user while the worker and its dispatcher have all that they can do. */
async function busyStatusMs(binary: string): Promise<number[]> {
  await using stage = await openStage(binary);
  const workers = await stage.startWorkers(1);
  await stage.plan('many.ts', busyTasks.toString());
  await stage.results(busyFrom);
  const times: number[] = [];
  for (let at = 0; at < busyQuestions; at++) {
    const startedAt = performance.now();
    const { status, stdout, stderr } = await stage.user.run('status');
    times.push(performance.now() - startedAt);
    if (status === 0 && stdout.includes('next')) continue;
    throw new Error(`jugq status ended with ${String(status)}: ${stdout}${stderr}`);
  }
  const { count } = await stage.resultTimes();
  if (count >= busyTasks) throw new Error('the tasks were done before the last answer');
  await stopWorkers(workers);
  return times;
}

async function startUpMs(binary: string, args: readonly string[]): Promise<number[]> {
  await using stage = await openStage(binary);
  const startedAt = performance.now();
  const { status, stderr } = await stage.user.run(...args);
  const ms = performance.now() - startedAt;
  if (status !== 0)
    throw new Error(`jugq ${args.join(' ')} ended with ${String(status)}: ${stderr}`);
  return [ms];
}

/** Node with nothing to do. */
async function emptyProgramMs(): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--eval', '0'], { stdio: 'ignore' });
  await once(child, 'close');
  return performance.now() - startedAt;
}

/** What Node takes for itself, waiting for something that never comes. */
async function emptyProgramMib(): Promise<number> {
  const waiting = 'setInterval(() => {}, 60_000); console.log()';
  const child = spawn(process.execPath, ['--eval', waiting], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    await once(child.stdout, 'data');
    return await residentMib(child.pid);
  } finally {
    child.kill('SIGKILL');
  }
}

/** What processes have used so far, in their own code and in the system's. */
async function processorSeconds(pids: readonly (number | undefined)[]): Promise<number> {
  const used = await Promise.all(
    pids.map(async (pid) => {
      if (pid === undefined) throw new Error('a server in a container cannot be measured');
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // The name of the program, in parentheses, may have spaces in it; utime and stime are fields 14 and 15.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[11]) + Number(fields[12]);
    }),
  );
  return used.reduce((sum, each) => sum + each, 0) / ticksPerSecond;
}
