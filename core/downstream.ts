/** What a change of some results reaches: those tasks, and whatever takes their results, directly or not. */
import type { ExpansionGraph } from './expansions.ts';
import { idOf, row, type Graph } from './graph.ts';
import { topologicalOrder } from './graph-order.ts';
import type { TaskId } from './identifiers.ts';

/** Why a task is reached: it is hit itself, an inner task of a compound that is, or depends on one of these. */
export type Reason = 'hit' | 'inner' | 'dependent';

/**
 * Tasks and all that depend on them.
 *
 * @returns positions, each dependency before its dependents
 */
export function downstreamOf(graph: Graph, tasks: readonly number[]): number[] {
  const reached = new Uint8Array(graph.count);
  for (const task of tasks) reached[task] = 1;
  const found: number[] = [];
  for (let task = 0; task < graph.count; task++) {
    if (reached[task] !== 1) {
      for (const dependency of row(graph.dependencies, task)) {
        if (reached[dependency] !== 1) continue;
        reached[task] = 1;
        break;
      }
    }
    if (reached[task] === 1) found.push(task);
  }
  return found;
}

/**
 * What a change reaches by way of what compounds are made of: plans in which these are not expanded do not know it.
 *
 * @param hitIn - the tasks of a graph that are hit
 * @param withInner - compounds that are hit take their inner tasks along
 * @returns each task behind those that it depends on
 */
export function reachExpansions(
  stored: readonly ExpansionGraph[],
  hitIn: (graph: Graph) => readonly number[],
  withInner: boolean,
): Map<TaskId, Reason> {
  const parts = stored.map((each) => ({ ...each, ids: idsOf(each.graph) }));
  const reached = new Map<TaskId, Reason>();
  const add = ({ ids }: Part, tasks: readonly number[], reason: Reason): void => {
    for (const task of tasks) {
      const id = ids[task];
      if (id !== undefined && !reached.has(id)) reached.set(id, reason);
    }
  };
  const isReached = ({ ids }: Part, task: number): boolean => reached.has(ids[task] ?? noTask);
  for (const part of parts) add(part, hitIn(part.graph), 'hit');
  let before = -1;
  while (withInner && before < reached.size) {
    before = reached.size;
    for (const part of parts)
      for (const { compound, inner } of part.expansions)
        if (isReached(part, compound)) add(part, inner, 'inner');
  }
  before = -1;
  while (before < reached.size) {
    before = reached.size;
    for (const part of parts) {
      const known = [...part.ids.keys()].filter((task) => isReached(part, task));
      add(part, downstreamOf(part.graph, known), 'dependent');
    }
  }
  return inOrder(reached, parts);
}

type Part = ExpansionGraph & { readonly ids: readonly TaskId[] };
const noTask = '' as TaskId;

function idsOf(graph: Graph): TaskId[] {
  return Array.from({ length: graph.count }, (_, task) => idOf(graph, task));
}

/** A compound may stand in one part without what it is made of, and in another with it. */
function inOrder(
  reached: ReadonlyMap<TaskId, Reason>,
  parts: readonly Part[],
): Map<TaskId, Reason> {
  const all = [...reached];
  const places = new Map(all.map(([id], at) => [id, at]));
  const dependencies = all.map((): number[] => []);
  for (const { graph, ids } of parts) {
    for (const [task, id] of ids.entries()) {
      const place = places.get(id);
      if (place === undefined) continue;
      for (const each of row(graph.dependencies, task)) {
        const dependency = places.get(ids[each] ?? noTask);
        if (dependency !== undefined) dependencies[place]?.push(dependency);
      }
    }
  }
  const order = topologicalOrder(all.length, (at) => dependencies[at] ?? []);
  // Code that was changed in between may have turned a dependency round; then no order is right.
  if (!(order instanceof Uint32Array)) return new Map(all);
  return new Map([...order].flatMap((at) => (all[at] === undefined ? [] : [all[at]])));
}
