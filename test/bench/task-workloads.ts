/** Workloads that run tasks which take no time: what is measured is what jugq adds to each. */
import { expectFanIn, expectOneTo, expectTree } from './expected-values.ts';
import { layers, picks, width } from './jugfiles/diamond-picks.ts';
import type { FloorWork } from './floor.ts';
import { floorOf, runOnce, tasksPerSecond, throughput } from './run-once.ts';
import { openStage, stopWorkers } from './stage.ts';
import { expectEqual, sortedNumbers, type Goal, type Workload } from './workload.ts';

const floodTasks = 30_000;
const longFloodTasks = 300_000;
const floodGoal: Goal = { of: 'ratio', bound: 'at least', limit: 0.75 };
const chainTasks = 500;
const leaves = 4096;
const fanInTasks = 5000;
const largeTasks = 1000;

/** The workloads, in the order in which they are measured. */
export const taskWorkloads: readonly Workload[] = [
  flood('flood', 1),
  flood('flood-2', 2),
  flood('flood-4', 4),
  floodAgain('flood-again', 1),
  floodAgain('flood-again-2', 2),
  longFlood(),
  resume(),
  {
    name: 'chain',
    what: `${chainTasks} tasks in a row, from result to result`,
    unit: 'ms a hop',
    goal: { of: 'ratio', bound: 'at most', limit: 1.5 },
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
          expectTree(leaves, values);
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
          expectFanIn(fanInTasks, values);
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
    goal: floodGoal,
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

/** By workers that have done as much twice before, and so has the floor: the engine has compiled what is hot. */
function floodAgain(name: string, workers: number): Workload {
  const rounds = 2;
  const argsOf = (round: number): string[] => [
    ((round + 1) * floodTasks).toString(),
    '1',
    (round * floodTasks).toString(),
  ];
  return {
    name,
    what: `${floodTasks} no-op tasks after twice as many, ${workers} worker${workers === 1 ? '' : 's'}`,
    ...throughput(floodTasks, workers, rounds),
    goal: floodGoal,
    measure: (binary) =>
      tasksPerSecond(binary, {
        workers,
        jugfile: 'many.ts',
        args: argsOf(rounds),
        before: Array.from({ length: rounds }, (_, round) => argsOf(round)),
        tasks: floodTasks,
        check: (values) => {
          expectOneTo((rounds + 1) * floodTasks, values);
        },
      }),
  };
}

/** So many that what the engine does once, compiling what is hot, hardly counts, here or in the floor. */
function longFlood(): Workload {
  return {
    name: 'flood-long',
    what: `${longFloodTasks} no-op tasks, 1 worker`,
    ...throughput(longFloodTasks, 1),
    goal: floodGoal,
    repeats: 2,
    measure: (binary) =>
      tasksPerSecond(binary, {
        workers: 1,
        jugfile: 'many.ts',
        args: [longFloodTasks.toString()],
        tasks: longFloodTasks,
        check: (values) => {
          expectOneTo(longFloodTasks, values);
        },
      }),
  };
}

/** An earlier run has finished every other task, so that what is left lies in between what is there. */
function resume(): Workload {
  const left = floodTasks / 2;
  return {
    name: 'resume',
    what: `${left} of ${floodTasks} no-op tasks left by an earlier run, 1 worker`,
    ...throughput(left, 1),
    async measure(binary) {
      await using stage = await openStage(binary);
      const first = await stage.startWorkers(1);
      await stage.end(await stage.plan('many.ts', floodTasks.toString(), '2'));
      await stopWorkers(first);
      const { count: before } = await stage.resultTimes();
      expectEqual('how many results there are before', before, floodTasks - left);
      const workers = await stage.startWorkers(1);
      const run = await stage.plan('many.ts', floodTasks.toString());
      await stage.end(run);
      const { lastAt } = await stage.resultTimes();
      expectOneTo(floodTasks, await stage.values());
      await stopWorkers(workers);
      return [(1000 * left) / (lastAt - run.submittedAt)];
    },
  };
}
