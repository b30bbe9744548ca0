/**
 * Workloads of `jugq plan`: from the start of the command to the moment in which the run is declared ready, less what
 * a plan of one task takes, which is starting up and connecting.
 */
import { expectOneTo } from './expected-values.ts';
import { openStage, secondsToPlan, stopWorkers, type Stage } from './stage.ts';
import { expectEqual, type Workload } from './workload.ts';

const tasks = 100_000;
const replans = 3;

/** The workloads, in the order in which they are measured. */
export const planningWorkloads: readonly Workload[] = [
  {
    name: 'plan',
    what: `${tasks} tasks: evaluate, hash, store`,
    unit: 's',
    goal: { of: 'value', bound: 'at most', limit: 2 },
    repeats: 3,
    async measure(binary) {
      await using stage = await openStage(binary);
      const startUp = secondsToPlan(await stage.plan('many.ts', '1'));
      return [secondsToPlan(await stage.plan('many.ts', tasks.toString())) - startUp];
    },
  },
  {
    name: 'replan',
    what: `${tasks} finished tasks planned again`,
    unit: 's',
    goal: { of: 'value', bound: 'at most', limit: 3 },
    repeats: 1,
    async measure(binary) {
      await using stage = await openStage(binary);
      await finish(stage);
      const seconds: number[] = [];
      for (let at = 0; at < replans; at++) {
        const startUp = secondsToPlan(await stage.plan('many.ts', '1'));
        const run = await stage.plan('many.ts', tasks.toString());
        // Ends at once: every result is there.
        await stage.end(run);
        seconds.push(secondsToPlan(run) - startUp);
      }
      const { count } = await stage.resultTimes();
      expectEqual('how many results there are', count, tasks);
      return seconds;
    },
  },
];

async function finish(stage: Stage): Promise<void> {
  const workers = await stage.startWorkers(1);
  await stage.end(await stage.plan('many.ts', tasks.toString()));
  expectOneTo(tasks, await stage.values());
  await stopWorkers(workers);
}
