/**
 * How workloads that run tasks are measured: `jugq worker` is there, `jugq plan` submits, and the clock runs from the
 * moment in which the run is declared ready to the storing of the last result.
 *
 * Publishing cannot begin before that moment, and all that it takes is in the time: a dispatcher in another process
 * reads the plan and publishes, workers take, run, put and acknowledge. What comes before it (evaluating, hashing,
 * storing the plan) is the workload `plan`. The end is the server's own time of the last put, as the floor's is the
 * event of its last put.
 */
import { startServer } from '../kit/servers.ts';
import { measureFloor, type FloorTimes, type FloorWork } from './floor.ts';
import { openStage, stopWorkers, type ResultTimes } from './stage.ts';
import { expectEqual, type Goal, type Workload } from './workload.ts';

const enough: Goal = { of: 'ratio', bound: 'at least', limit: 0.6 };

/** Tasks to be run, and what must come of them. */
export interface Work {
  readonly workers: number;
  /** Of `jugq worker`. */
  readonly flags?: readonly string[];
  readonly jugfile: string;
  readonly args?: readonly string[];
  /** Arguments of plans of the same jugfile, each with as many other tasks, that the same workers have finished before. */
  readonly before?: readonly (readonly string[])[];
  /** @throws Error if a value is wrong */
  readonly check: (values: readonly unknown[]) => void;
}

/** Runs the work once on a server of its own. */
export async function tasksPerSecond(
  binary: string,
  work: Work & { readonly tasks: number },
): Promise<number[]> {
  const { lastAt, submittedAt, count } = await runOnce(binary, work);
  const { tasks, before = [] } = work;
  expectEqual('how many results there are', count, tasks * (before.length + 1));
  return [(1000 * work.tasks) / (lastAt - submittedAt)];
}

/**
 * Runs the work once on a server of its own, and gives the times of its results.
 *
 * @throws Error if a value is wrong
 */
export async function runOnce(
  binary: string,
  work: Work,
): Promise<ResultTimes & { readonly submittedAt: number }> {
  await using stage = await openStage(binary);
  const workers = await stage.startWorkers(work.workers, ...(work.flags ?? []));
  for (const args of work.before ?? []) await stage.end(await stage.plan(work.jugfile, ...args));
  const run = await stage.plan(work.jugfile, ...(work.args ?? []));
  await stage.end(run);
  const times = await stage.resultTimes();
  work.check(await stage.values());
  await stopWorkers(workers);
  return { ...times, submittedAt: run.submittedAt };
}

/**
 * A workload in tasks a second, beside the floor of as many messages.
 *
 * That of tasks with dependencies is the floor of as many without: nothing makes them cheaper.
 *
 * @param roundsBefore - how many times the processes have done as much before
 */
export function throughput(
  tasks: number,
  workers: number,
  roundsBefore = 0,
): Pick<Workload, 'unit' | 'goal' | 'repeats'> & Required<Pick<Workload, 'floor'>> {
  return {
    unit: 'tasks/s',
    goal: enough,
    repeats: 3,
    floor: async (binary) =>
      tasks / (await floorOf(binary, { tasks, workers, shape: 'flood', roundsBefore })).seconds,
  };
}

/** Messages through a server that has done nothing before. */
export async function floorOf(binary: string, work: FloorWork): Promise<FloorTimes> {
  await using server = await startServer({ binary });
  return await measureFloor(server.url, work);
}
