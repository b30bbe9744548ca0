/** The invariants of a run's progress, for tests. */
import { invariant } from './errors.ts';
import { idOf } from './graph.ts';
import { deriveAll, state, type RunProgress } from './run-progress.ts';

/**
 * Asserts that states and counters are what the facts say.
 *
 * @throws JugqError `BUG`, with the story of the task
 */
export function validateRun(run: RunProgress): void {
  const kept = {
    state: run.state.slice(),
    missing: run.missing.slice(),
    obstructed: run.obstructed.slice(),
    demand: run.demand.slice(),
    counts: run.counts.slice(),
  };
  deriveAll(run);
  for (const key of ['state', 'missing', 'obstructed', 'demand'] as const) {
    for (let task = 0; task < run.plan.graph.count; task++) {
      invariant(
        kept[key][task] === run[key][task],
        `${idOf(run.plan.graph, task)}: ${key} is ${String(kept[key][task])}, the facts ${String(run.facts[task])} say ${String(run[key][task])}`,
      );
    }
  }
  kept.counts.forEach((count, at) => {
    invariant(count === run.counts[at], `count ${at.toString()} of run ${run.id} is off`);
  });
  const offered = new Set(run.ready.all());
  run.state.forEach((each, task) => {
    invariant(
      each !== state.ready || offered.has(task),
      `${idOf(run.plan.graph, task)} is ready and will never be published`,
    );
  });
}
