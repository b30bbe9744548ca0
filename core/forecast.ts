/** What a plan would take, from how long tasks of its functions took before. */
import { row, type Graph } from './graph.ts';

/** What is known beforehand. */
export interface ForecastInput {
  readonly graph: Graph;
  /** Whether a task would run. */
  readonly runs: (task: number) => boolean;
  /** Mean milliseconds of a task, by position of its function; undefined: nobody knows, and it counts as nothing. */
  readonly meanMs: readonly (number | undefined)[];
}

export interface Forecast {
  /** Of all tasks that would run, one after another. */
  readonly workMs: number;
  /** Of the longest chain of tasks that wait for each other: no number of workers makes it shorter. */
  readonly criticalMs: number;
  /** That chain, by function, dependencies first: names with how many tasks stand one behind another. */
  readonly criticalPath: readonly { readonly function: string; readonly tasks: number }[];
}

/** Adds up what would run, and finds the longest chain in it. */
export function forecast({ graph, runs, meanMs }: ForecastInput): Forecast {
  const costOf = (task: number): number =>
    runs(task) ? (meanMs[graph.functionOf[task] ?? 0] ?? 0) : 0;
  /** Until the end of a task, from the start of the chain that leads to it. */
  const until = new Float64Array(graph.count);
  const before = new Int32Array(graph.count).fill(-1);
  let workMs = 0;
  let last = -1;
  for (let task = 0; task < graph.count; task++) {
    if (!runs(task)) continue;
    let start = 0;
    for (const dependency of row(graph.dependencies, task)) {
      if (!runs(dependency)) continue;
      const end = until[dependency] ?? 0;
      if (before[task] !== -1 && end <= start) continue;
      start = end;
      before[task] = dependency;
    }
    until[task] = start + costOf(task);
    workMs += costOf(task);
    if (last === -1 || (until[task] ?? 0) > (until[last] ?? 0)) last = task;
  }
  const criticalMs = last === -1 ? 0 : (until[last] ?? 0);
  return { workMs, criticalMs, criticalPath: pathTo(graph, before, last) };
}

function pathTo(graph: Graph, before: Int32Array, last: number): Forecast['criticalPath'] {
  const path: { function: string; tasks: number }[] = [];
  for (let task = last; task !== -1; task = before[task] ?? -1) {
    const name = graph.functions[graph.functionOf[task] ?? 0]?.name ?? '';
    const next = path[0];
    if (next?.function === name) next.tasks++;
    else path.unshift({ function: name, tasks: 1 });
  }
  return path;
}

/**
 * How long a run takes at least on so many threads, ms: its longest chain, or its work shared out.
 *
 * @param threads - greater than 0
 */
export function makespanMs({ workMs, criticalMs }: Forecast, threads: number): number {
  return Math.max(criticalMs, workMs / threads);
}
