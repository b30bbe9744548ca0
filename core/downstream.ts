/** What a change of some results reaches: those tasks, and whatever takes their results, directly or not. */
import { row, type Graph } from './graph.ts';

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
