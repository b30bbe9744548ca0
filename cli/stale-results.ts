/** Stale results: made by other code than their functions have now. They count, and their author is told. */
import type { OpenProject } from '../broker/project.ts';
import { madeByCode } from '../broker/result-facts.ts';
import { scanHeads } from '../broker/result-heads.ts';
import { functionOf, idOf } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { KnownResult } from '../core/known-results.ts';
import { valueFor } from '../core/records.ts';
import { state, type RunProgress } from '../core/run-progress.ts';
import { countOf } from './report.ts';
import { storedPlans } from './stored-plans.ts';

/** How many of the results that count for a run are stale, by function; functions without any are left out. */
export function staleIn(
  run: RunProgress,
  results: readonly KnownResult[],
): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { task, present, stale = false } of results) {
    if (!present || !stale || run.state[task] !== state.finished) continue;
    const { name } = functionOf(run.plan.graph, task);
    counts[name] = (valueFor(counts, name) ?? 0) + 1;
  }
  return counts;
}

/** `kmeans changed since 1,960 of its results were computed: …`, a line for each function. */
export function describeStale(stale: Readonly<Record<string, number>> = {}): string[] {
  return Object.entries(stale).map(
    ([name, count]) =>
      `${name} changed since ${countOf(count, 'result')} of it ${count === 1 ? 'was' : 'were'} computed: kept as ${count === 1 ? 'it is' : 'they are'}; jugq invalidate --stale =${name} drops ${count === 1 ? 'it' : 'them'}`,
  );
}

/**
 * Finds all results that are stale by the newest stored plan that declares their task.
 *
 * Plans are read one by one, and each result is judged once: memory is for the results, however many runs there were.
 */
export async function findStale(project: OpenProject): Promise<Set<TaskId>> {
  const madeBy = new Map<TaskId, string>();
  await scanHeads(project, undefined, ({ id, facts }) => {
    const made = madeByCode(facts);
    if (made !== undefined) madeBy.set(id, made);
  });
  const stale = new Set<TaskId>();
  for await (const { plan } of storedPlans(project)) {
    if (madeBy.size === 0) break;
    const { graph } = plan;
    for (let task = 0; task < graph.count; task++) {
      const { fingerprint } = functionOf(graph, task);
      if (fingerprint === '') continue;
      const id = idOf(graph, task);
      const made = madeBy.get(id);
      if (made === undefined) continue;
      madeBy.delete(id);
      if (made !== fingerprint) stale.add(id);
    }
  }
  return stale;
}
