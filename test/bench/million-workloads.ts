/** A million tasks: planned, looked at, run through with another worker and dispatcher in the middle, planned again. */
import { settingsTable } from '../../cli/settings-table.ts';
import { residentMib } from './resident.ts';
import { openStage, secondsToPlan, stopWorkers } from './stage.ts';
import { watchTakeover } from './takeover.ts';
import { expectEqual, type Workload } from './workload.ts';

const tasks = 1_000_000;
/** Of the same tasks in small, to tell what size costs. */
const few = 10_000;
const jugfile = 'many.ts';
const defaultLeaseMs = settingsTable.lease.fallback;

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
    name: 'million-takeover',
    what: 'the dispatching worker killed: until a result of what another has published, less the lease',
    unit: 's',
    goal: { of: 'value', bound: 'at most', limit: 10 },
    repeats: 1,
    isLong: true,
    measure: takeoverSeconds,
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

/**
 * From the end of the worker that dispatches to the first result of a task that its successor has published.
 *
 * The other worker has all that the dead dispatcher had put into the queue, so that results as such go on; what counts
 * is when something comes out that only the new one can have put in. Then the run has to come to its end.
 */
async function takeoverSeconds(binary: string): Promise<number[]> {
  await using stage = await openStage(binary);
  const workers = await stage.startWorkers(2);
  const run = await stage.plan(jugfile, tasks.toString());
  await stage.results(few);
  const dispatcher = stage.dispatcherPid();
  const victim = workers.find(({ pid }) => pid === dispatcher);
  if (victim === undefined) throw new Error('expected a worker to dispatch');
  await using takeover = await watchTakeover(stage.server.url, dispatcher);
  const killedAt = performance.now();
  victim.process.kill('SIGKILL');
  const resultAt = await takeover.firstResult();
  await stage.end(run);
  const { count } = await stage.resultTimes();
  expectEqual('how many results there are', count, tasks);
  await stopWorkers(workers.filter((each) => each !== victim));
  return [(resultAt - killedAt - defaultLeaseMs) / 1000];
}

/** Tasks a second; the first worker is told to go when about half of a million is done. */
async function runThrough(binary: string, count: number): Promise<number[]> {
  await using stage = await openStage(binary);
  const first = await stage.startWorkers(1);
  const run = await stage.plan(jugfile, count.toString());
  let workers = first;
  if (count === tasks) {
    await stage.results(count / 2);
    const mib = await residentMib(first[0]?.pid);
    console.error(`a worker at half a million results: ${mib.toFixed(0)} MiB`);
    workers = await stage.startWorkers(1);
    await stopWorkers(first);
  }
  await stage.end(run);
  const { lastAt, count: results } = await stage.resultTimes();
  expectEqual('how many results there are', results, count);
  await stopWorkers(workers);
  return [(1000 * count) / (lastAt - run.submittedAt)];
}
