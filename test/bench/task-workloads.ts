/**
 * Workloads that run tasks: `jugq worker` is there, `jugq plan` submits, and the clock runs from the moment in which the
 * run is declared ready to the storing of the last result.
 *
 * Publishing cannot begin before that moment, and all that it takes is in the time: a dispatcher in another process
 * reads the plan and publishes, workers take, run, put and acknowledge. What comes before it (evaluating, hashing,
 * storing the plan) is the workload `plan`. The end is the server's own time of the last put, as the floor's is the
 * event of its last put.
 */
import { startServer } from '../kit/servers.ts';
import { layers, picks, width } from './jugfiles/diamond-picks.ts';
import { measureFloor, type FloorTimes, type FloorWork } from './floor.ts';
import { openStage, stopWorkers, type ResultTimes } from './stage.ts';
import { expectEqual, expectOneTo, sortedNumbers, type Goal, type Workload } from './workload.ts';

const floodTasks = 30_000;
const chainTasks = 500;
const leaves = 4096;
const fanInTasks = 5000;
const largeTasks = 1000;

const enough: Goal = { of: 'ratio', bound: 'at least', limit: 0.6 };

/** The workloads, in the order in which they are measured. */
export const taskWorkloads: readonly Workload[] = [
  flood('flood', 1),
  flood('flood-2', 2),
  {
    name: 'chain',
    what: `${chainTasks} tasks in a row, from result to result`,
    unit: 'ms a hop',
    goal: { of: 'ratio', bound: 'at most', limit: 2 },
    repeats: 3,
    async measure(binary) {
      const { firstAt, lastAt } = await runOnce(binary, {
        workers: 1,
        jugfile: 'chain.ts',
        check: (values) => {
          expectOneTo(chainTasks, values);
        },
      });
      return [(lastAt - firstAt) / (chainTasks - 1)];
    },
    async floor(binary) {
      const work: FloorWork = { tasks: chainTasks, workers: 1, shape: 'chain' };
      return ((await floorOf(binary, work)).resultsSeconds * 1000) / (chainTasks - 1);
    },
  },
  {
    name: 'tree',
    what: `binary tree of ${2 * leaves - 1} tasks, 1 worker`,
    ...throughput(2 * leaves - 1, 1),
    measure: (binary) =>
      tasksPerSecond(binary, {
        workers: 1,
        jugfile: 'tree.ts',
        tasks: 2 * leaves - 1,
        check: (values) => {
          const sums = sortedNumbers(values);
          expectEqual('the root of the tree', sums.at(-1) ?? 0, leaves);
          const total = sums.reduce((sum, each) => sum + each, 0);
          expectEqual('the sum over all levels', total, leaves * (Math.log2(leaves) + 1));
        },
      }),
  },
  {
    name: 'fan-in',
    what: `${fanInTasks} tasks and one that takes them all, 1 worker`,
    ...throughput(fanInTasks + 1, 1),
    measure: (binary) =>
      tasksPerSecond(binary, {
        workers: 1,
        jugfile: 'fan-in.ts',
        tasks: fanInTasks + 1,
        check: (values) => {
          const sum = (fanInTasks * (fanInTasks + 1)) / 2;
          expectEqual('the sum', sortedNumbers(values).at(-1) ?? 0, sum);
        },
      }),
  },
  {
    name: 'diamond',
    what: `random graph of ${layers * width} tasks in ${layers} layers, 1 worker`,
    ...throughput(layers * width, 1),
    measure: (binary) =>
      tasksPerSecond(binary, {
        workers: 1,
        jugfile: 'diamond.ts',
        tasks: layers * width,
        check: (values) => {
          const total = sortedNumbers(values).reduce((sum, each) => sum + each, 0);
          expectEqual('the sum over all layers', total, sumOfDiamond());
        },
      }),
  },
  {
    name: 'large',
    what: `${largeTasks} results of 1 MiB, each with a consumer, 1 worker`,
    unit: 'MiB/s',
    repeats: 2,
    async measure(binary) {
      const { lastAt, submittedAt } = await runOnce(binary, {
        workers: 1,
        jugfile: 'large.ts',
        args: [largeTasks.toString()],
        check: (values) => {
          const sizes = values.filter((each) => typeof each === 'number');
          expectOneTo(largeTasks, sizes);
        },
      });
      return [(1000 * largeTasks) / (lastAt - submittedAt)];
    },
  },
  sleeping({ name: 'sleep50', tasks: 200, ms: 50, workers: 2, threads: 1, least: 95 }),
  sleeping({ name: 'sleep10', tasks: 1000, ms: 10, workers: 1, threads: 2, least: 95 }),
];

/** What the tasks of `diamond.ts` give, all together. */
function sumOfDiamond(): number {
  let layer = Array.from({ length: width }, (_, number) => number);
  let total = layer.reduce((sum, each) => sum + each, 0);
  for (let depth = 1; depth < layers; depth++) {
    const before = layer;
    layer = before.map((_, at) =>
      picks(depth, at).reduce((sum, pick) => (sum + (before[pick] ?? 0)) % 1000, 0),
    );
    total += layer.reduce((sum, each) => sum + each, 0);
  }
  return total;
}

function flood(name: string, workers: number): Workload {
  return {
    name,
    what: `${floodTasks} no-op tasks, ${workers} worker${workers === 1 ? '' : 's'}`,
    ...throughput(floodTasks, workers),
    measure: (binary) =>
      tasksPerSecond(binary, {
        workers,
        jugfile: 'flood.ts',
        tasks: floodTasks,
        check: (values) => {
          expectOneTo(floodTasks, values);
        },
      }),
  };
}

/** The floor of tasks with dependencies is that of as many without: nothing makes them cheaper. */
function throughput(
  tasks: number,
  workers: number,
): Pick<Workload, 'unit' | 'goal' | 'repeats'> & Required<Pick<Workload, 'floor'>> {
  return {
    unit: 'tasks/s',
    goal: enough,
    repeats: 3,
    floor: async (binary) =>
      tasks / (await floorOf(binary, { tasks, workers, shape: 'flood' })).seconds,
  };
}

function sleeping(work: {
  readonly name: string;
  readonly tasks: number;
  readonly ms: number;
  readonly workers: number;
  readonly threads: number;
  readonly least: number;
}): Workload {
  const { name, tasks, ms, workers, threads } = work;
  return {
    name,
    what: `${tasks} tasks of ${ms} ms, ${workers} × ${threads} threads`,
    unit: '% of ideal',
    goal: { of: 'value', bound: 'at least', limit: work.least },
    repeats: 3,
    async measure(binary) {
      const { lastAt, submittedAt } = await runOnce(binary, {
        workers,
        flags: ['-j', threads.toString()],
        jugfile: 'sleep.ts',
        args: [tasks.toString(), ms.toString()],
        check: (values) => {
          expectOneTo(tasks, values);
        },
      });
      const idealMs = Math.ceil(tasks / (workers * threads)) * ms;
      return [(100 * idealMs) / (lastAt - submittedAt)];
    },
  };
}

interface Work {
  readonly workers: number;
  /** Of `jugq worker`. */
  readonly flags?: readonly string[];
  readonly jugfile: string;
  readonly args?: readonly string[];
  /** @throws Error if a value is wrong */
  readonly check: (values: readonly unknown[]) => void;
}

async function tasksPerSecond(
  binary: string,
  work: Work & { readonly tasks: number },
): Promise<number[]> {
  const { lastAt, submittedAt, count } = await runOnce(binary, work);
  expectEqual('how many results there are', count, work.tasks);
  return [(1000 * work.tasks) / (lastAt - submittedAt)];
}

async function runOnce(
  binary: string,
  work: Work,
): Promise<ResultTimes & { readonly submittedAt: number }> {
  await using stage = await openStage(binary);
  const workers = await stage.startWorkers(work.workers, ...(work.flags ?? []));
  const run = await stage.plan(work.jugfile, ...(work.args ?? []));
  await stage.end(run);
  const times = await stage.resultTimes();
  work.check(await stage.values());
  await stopWorkers(workers);
  return { ...times, submittedAt: run.submittedAt };
}

async function floorOf(binary: string, work: FloorWork): Promise<FloorTimes> {
  await using server = await startServer({ binary });
  return await measureFloor(server.url, work);
}
