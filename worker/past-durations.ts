/** How long tasks took that were finished before a reign, or a run, began. */
import type { Results } from '../broker/results.ts';
import { functionOf, idOf, type Graph } from '../core/graph.ts';
import type { KnownResult } from '../core/known-results.ts';

export interface PastDuration {
  readonly functionName: string;
  readonly ms: number;
}

/** Enough for a function to be known by. */
const samples = 16;
const readAtOnce = 256;

/**
 * Durations of a few finished tasks of each function that has others to be run: so a dispatcher that takes over need not
 * get to know anew what the one before it knew.
 *
 * @param isKnown - functions that need not be asked about
 */
export async function pastDurations(
  results: Results,
  graph: Graph,
  known: readonly KnownResult[],
  isKnown: (functionName: string) => boolean,
): Promise<PastDuration[]> {
  const chosen = choose(graph, known, isKnown);
  const durations: PastDuration[] = [];
  for (let at = 0; at < chosen.length; at += readAtOnce) {
    const read = await Promise.all(
      chosen.slice(at, at + readAtOnce).map((task) => results.read(idOf(graph, task))),
    );
    read.forEach((stored, i) => {
      if (stored?.facts === undefined) return;
      const { name } = functionOf(graph, chosen[at + i] ?? 0);
      durations.push({ functionName: name, ms: stored.facts.ms });
    });
  }
  return durations;
}

/** Results of other code than the plan's say nothing of it. */
function choose(
  graph: Graph,
  known: readonly KnownResult[],
  isKnown: (functionName: string) => boolean,
): number[] {
  const { functionOf: functions } = graph;
  const left = new Uint32Array(graph.functions.length);
  for (const fn of functions) left[fn] = (left[fn] ?? 0) + 1;
  for (const { task, present } of known) {
    const fn = functions[task] ?? 0;
    if (present) left[fn] = (left[fn] ?? 0) - 1;
  }
  const wanted: number[] = graph.functions.map(({ name }, fn) =>
    left[fn] === 0 || isKnown(name) ? 0 : samples,
  );
  const chosen: number[] = [];
  for (const { task, present, stale } of known) {
    const fn = functions[task] ?? 0;
    const more = wanted[fn] ?? 0;
    if (more === 0 || !present || stale === true) continue;
    wanted[fn] = more - 1;
    chosen.push(task);
  }
  return chosen;
}
