/** What a run has come to, read from its progress: its end, if it has one, and its counts. */
import { noCounts, type Counts } from './records.ts';
import { countIn, fact, holds, state, stateCount, type RunProgress } from './run-progress.ts';

/** How a run ends by itself. `cancelled`: some of its tasks were, and all others are finished. */
export type Outcome = 'finished' | 'failed' | 'cancelled';

/**
 * What is to be done with a run when nothing else is: it has come to its end, or its planning must go on.
 *
 * When nothing is ready, queued or delayed, whatever still waits does so behind an open compound.
 */
export function conclusion(run: RunProgress): Outcome | 'plan-on' | undefined {
  const { waits } = run.plan;
  if (run.failFast && countIn(run, state.failed) > 0) return 'failed';
  if (waits.some((_, wait) => isMet(run, wait))) return 'plan-on';
  const { waiting, ready, queued, delayed, failed } = state;
  if ([ready, queued, delayed].some((each) => countIn(run, each) > 0)) return undefined;
  if (waits.length === 0 && countIn(run, waiting) > 0) return 'plan-on';
  if (countIn(run, failed) > 0) return 'failed';
  if (countIn(run, state.cancelled) > 0) return 'cancelled';
  return waits.length > 0 ? 'failed' : 'finished';
}

/** Why the planning of a run that ends is not done, for people; undefined if its plan is whole. */
export function whyStopped(run: RunProgress, outcome: Outcome): string | undefined {
  const [wait] = run.plan.waits;
  if (wait === undefined) return undefined;
  const why =
    outcome === 'cancelled'
      ? 'a task that it waits for was cancelled'
      : countIn(run, state.failed) > 0
        ? 'a task that it waits for has failed'
        : 'what it waits for needs a compound that is not made yet because of this wait: let its body need nothing that is made of its own result';
  return `planning stopped at ${wait.place}: ${why}`;
}

/** Whether all tasks of a wait are finished, or were: each is looked at once, not again with every event. */
function isMet(run: RunProgress, wait: number): boolean {
  const tasks = run.plan.waits[wait]?.tasks ?? 0;
  const count = typeof tasks === 'number' ? tasks : tasks.length;
  let at = run.waited[wait] ?? 0;
  while (
    at < count &&
    run.state[typeof tasks === 'number' ? at : (tasks[at] ?? 0)] === state.finished
  )
    at++;
  run.waited[wait] = at;
  return at === count;
}

/** Counts by function, in the words that users see. */
export function countsByFunction(run: RunProgress): Record<string, Counts> {
  const all = run.plan.graph.functions.map(({ name }, position) => {
    const of = (each: number): number => run.counts[position * stateCount + each] ?? 0;
    const counts = {
      ...noCounts(),
      failed: of(state.failed),
      blocked: of(state.blocked),
      waiting: of(state.waiting) + of(state.delayed),
      ready: of(state.ready) + of(state.queued),
      finished: of(state.finished),
    };
    return [name, counts] as const;
  });
  return Object.fromEntries(all);
}

/** How many tasks of each function are in a state that the counts do not have; functions without any are left out. */
export function countedApart(
  run: RunProgress,
  each: typeof state.cancelled | typeof state.dropped,
): Record<string, number> {
  const all = run.plan.graph.functions.map(
    ({ name }, at) => [name, run.counts[at * stateCount + each] ?? 0] as const,
  );
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

/** How many results were made for this run, and how many were there before it; what was dropped since counts, too. */
export function executedAndCached(run: RunProgress): { executed: number; cached: number } {
  let executed = 0;
  let cached = 0;
  for (let task = 0; task < run.plan.graph.count; task++) {
    if (!holds(run, task, fact.hasResult) && run.state[task] !== state.dropped) continue;
    const isNew = (run.revision[task] ?? 0) > run.basis && !run.droppedCached.has(task);
    if (isNew) executed++;
    else cached++;
  }
  return { executed, cached };
}
