/** A million tasks: planned, looked at, run through with another worker and dispatcher in the middle, planned again. */
import { readFile } from 'node:fs/promises';
import { openStage, secondsToPlan, stopWorkers } from './stage.ts';
import { expectEqual, type Workload } from './workload.ts';

const tasks = 1_000_000;
/** Of the same tasks in small, to tell what size costs. */
const few = 10_000;
const jugfile = 'many.ts';

/** The workloads, in the order in which they are measured. */
export const millionWorkloads: readonly Workload[] = [
  {
    name: 'million-plan',
    what: 'a million tasks: evaluate, hash, store',
    unit: 's',
    goal: { of: 'value', bound: 'at most', limit: 15 },
    repeats: 1,
    isLong: true,
    async measure(binary) {
      await using stage = await openStage(binary);
      return [secondsToPlan(await stage.plan(jugfile, tasks.toString()))];
    },
  },
  {
    name: 'million-status',
    what: 'jugq status of a million waiting tasks',
    unit: 's',
    goal: { of: 'value', bound: 'at most', limit: 0.5 },
    repeats: 1,
    isLong: true,
    async measure(binary) {
      await using stage = await openStage(binary);
      await stage.plan(jugfile, tasks.toString());
      const startedAt = performance.now();
      const { status, stderr } = await stage.user.run('status');
      if (status !== 0) throw new Error(`jugq status ended with ${String(status)}: ${stderr}`);
      return [(performance.now() - startedAt) / 1000];
    },
  },
  {
    name: 'million-run',
    what: 'a million tasks, worker and dispatcher replaced in the middle; beside it the rate at 10,000',
    unit: 'tasks/s',
    goal: { of: 'ratio', bound: 'at least', limit: 1 / 1.3 },
    repeats: 1,
    isLong: true,
    measure: (binary) => runThrough(binary, tasks),
    floor: async (binary) => (await runThrough(binary, few))[0] ?? NaN,
  },
  {
    name: 'million-replan',
    what: 'a million finished tasks planned again',
    unit: 's',
    goal: { of: 'value', bound: 'at most', limit: 15 },
    repeats: 1,
    isLong: true,
    async measure(binary) {
      await using stage = await openStage(binary);
      const workers = await stage.startWorkers(1);
      await stage.end(await stage.plan(jugfile, tasks.toString()));
      await stopWorkers(workers);
      const again = await stage.plan(jugfile, tasks.toString());
      await stage.end(again);
      const { count } = await stage.resultTimes();
      expectEqual('how many results there are', count, tasks);
      return [secondsToPlan(again)];
    },
  },
];

/** Tasks a second; the first worker is told to go when about half of a million is done. */
async function runThrough(binary: string, count: number): Promise<number[]> {
  await using stage = await openStage(binary);
  const first = await stage.startWorkers(1);
  const run = await stage.plan(jugfile, count.toString());
  let workers = first;
  if (count === tasks) {
    await stage.results(count / 2);
    console.error(`a worker at half a million results: ${await residentMib(first[0]?.pid)} MiB`);
    workers = await stage.startWorkers(1);
    await stopWorkers(first);
  }
  await stage.end(run);
  const { lastAt, count: results } = await stage.resultTimes();
  expectEqual('how many results there are', results, count);
  await stopWorkers(workers);
  return [(1000 * count) / (lastAt - run.submittedAt)];
}

/** What a process has in memory now. */
async function residentMib(pid: number | undefined): Promise<string> {
  if (pid === undefined) return '?';
  const status = await readFile(`/proc/${pid.toString()}/status`, 'utf8');
  const kib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN);
  return (kib / 1024).toFixed(0);
}
