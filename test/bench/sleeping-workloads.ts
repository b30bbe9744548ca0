/**
 * Workloads whose tasks keep their threads and need no processor: what is measured is how little time a thread is
 * without a task. What is ideal is computed, and needs no floor of the server's.
 */
import { expectOneTo } from './expected-values.ts';
import { unevenTasks } from './jugfiles/uneven-durations.ts';
import { runOnce } from './run-once.ts';
import type { Workload } from './workload.ts';

const unevenWorkers = 4;

/** The workloads, in the order in which they are measured. */
export const sleepingWorkloads: readonly Workload[] = [
  sleeping({ name: 'sleep50', tasks: 200, ms: 50, workers: 2, threads: 1 }),
  sleeping({ name: 'sleep50-1', tasks: 100, ms: 50, workers: 1, threads: 1 }),
  sleeping({ name: 'sleep50-4', tasks: 400, ms: 50, workers: 4, threads: 1 }),
  sleeping({ name: 'sleep10', tasks: 1000, ms: 10, workers: 1, threads: 2 }),
  sleeping({ name: 'sleep10-2', tasks: 1000, ms: 10, workers: 2, threads: 1 }),
  sleeping({ name: 'sleep10-4', tasks: 2000, ms: 10, workers: 4, threads: 1 }),
  makespan(),
];

function sleeping(work: {
  readonly name: string;
  readonly tasks: number;
  readonly ms: number;
  readonly workers: number;
  readonly threads: number;
}): Workload {
  const { name, tasks, ms, workers, threads } = work;
  return {
    name,
    what: `${tasks} tasks of ${ms} ms, ${workers} × ${threads} threads`,
    unit: '% of ideal',
    goal: { of: 'value', bound: 'at least', limit: ms < 50 ? 95 : 98 },
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

/**
 * Beside a schedule that knows how long each task takes, which jugq learns as it goes, and only of functions.
 *
 * Taken as they are declared, or the shortest first, these tasks take a sixth longer than that schedule.
 */
function makespan(): Workload {
  const uneven = unevenTasks();
  return {
    name: 'makespan',
    what: `${uneven.length} tasks of 5 ms to 2 s, ${unevenWorkers} × 1 threads; beside it the longest first`,
    unit: 's',
    goal: { of: 'ratio', bound: 'at most', limit: 1.05 },
    repeats: 3,
    async measure(binary) {
      const { lastAt, submittedAt } = await runOnce(binary, {
        workers: unevenWorkers,
        flags: ['-j', '1'],
        jugfile: 'uneven.ts',
        check: (values) => {
          expectOneTo(uneven.length, values);
        },
      });
      return [(lastAt - submittedAt) / 1000];
    },
    floor() {
      const durations = uneven.map(({ ms }) => ms);
      return Promise.resolve(longestFirst(durations, unevenWorkers) / 1000);
    },
  };
}

/**
 * How long it takes if each thread that has nothing to do takes the longest task that is left.
 *
 * @see R. Graham, "Bounds on Multiprocessing Timing Anomalies", 1969: at most a third longer than the best schedule
 */
function longestFirst(durations: readonly number[], threads: number): number {
  const busyUntil = new Array<number>(threads).fill(0);
  for (const ms of [...durations].sort((a, b) => b - a)) {
    const first = busyUntil.indexOf(Math.min(...busyUntil));
    busyUntil[first] = (busyUntil[first] ?? 0) + ms;
  }
  return Math.max(...busyUntil);
}
