/** What a plan means for each function: how many tasks, how many results are there, were dropped, how many would run. */
import { state, type RunProgress } from '../core/run-progress.ts';

/** One function of a plan. */
export interface FunctionRow {
  readonly name: string;
  readonly tasks: number;
  readonly there: number;
  /** Intermediate results that are gone, and that nothing which runs needs. */
  readonly dropped: number;
  readonly run: number;
}

/** By function, in the order of their first call. */
export function functionRows(progress: RunProgress): FunctionRow[] {
  const { graph } = progress.plan;
  const rows = graph.functions.map((each) => ({
    name: each.name,
    tasks: 0,
    there: 0,
    dropped: 0,
    run: 0,
  }));
  for (let task = 0; task < graph.count; task++) {
    const row = rows[graph.functionOf[task] ?? 0];
    if (row === undefined) continue;
    row.tasks++;
    if (progress.state[task] === state.finished) row.there++;
    if (progress.state[task] === state.dropped) row.dropped++;
    if (willRun(progress, task)) row.run++;
  }
  return rows;
}

/** The columns that every table of them has; for what was dropped there is one where something was. */
export function functionColumns(
  rows: readonly FunctionRow[],
  runTitle: string,
): { readonly head: string[]; readonly cells: (row: FunctionRow) => (string | number)[] } {
  const hasDropped = rows.some((each) => each.dropped > 0);
  return {
    head: ['function', 'tasks', 'there', ...(hasDropped ? ['dropped'] : []), runTitle],
    cells: ({ name, tasks, there, dropped, run }) => [
      ...[name, tasks, there],
      ...(hasDropped ? [dropped] : []),
      run,
    ],
  };
}

/** Whether a task is going to be executed, now or when what it needs is there. */
export function willRun(progress: RunProgress, task: number): boolean {
  const now = progress.state[task];
  return now === state.ready || now === state.waiting;
}
