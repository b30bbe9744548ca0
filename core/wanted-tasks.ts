/** Which tasks of a run are wanted for their own sake, and which only pass on to others what they compute. */
import { row, type Rows } from './graph.ts';
import { matchingTasks, parsePatterns } from './patterns.ts';
import type { Plan } from './plan-format.ts';
import { fact, type RunStart } from './run-progress.ts';

/** The facts of each task that the plan and the user's wish make, before anything is known of its result. */
export function wantedFacts({ plan, targets }: RunStart, dependents: Rows): Uint8Array {
  const facts = new Uint8Array(plan.graph.count);
  if (targets === undefined) {
    facts.fill(fact.wanted);
    // With targets nobody knows what the rest of the plan is going to need, so nothing is dropped.
    markPassing(facts, plan, dependents);
  } else {
    for (const task of matchingTasks(plan.graph, parsePatterns(targets))) facts[task] = fact.wanted;
  }
  // What planning waits for may declare more of the targets.
  for (const { tasks } of plan.waits) {
    if (typeof tasks === 'number') facts.fill(fact.wanted, 0, tasks);
    else for (const task of tasks) facts[task] = fact.wanted;
  }
  return facts;
}

/** Intermediate results: of functions with `keep: false`, taken by others, and not asked for while planning. */
function markPassing(facts: Uint8Array, { graph, kept }: Plan, dependents: Rows): void {
  const isPassing = graph.functions.map((each) => each.keep === false);
  if (!isPassing.includes(true)) return;
  for (let task = 0; task < graph.count; task++) {
    if (isPassing[graph.functionOf[task] ?? 0] !== true) continue;
    if (row(dependents, task).length > 0) facts[task] = fact.passing;
  }
  for (const task of kept) facts[task] = fact.wanted;
}
