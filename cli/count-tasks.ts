/** `jugq count`: how many tasks a jugfile declares. Needs no server. */
import type { Graph } from '../core/graph.ts';
import { noResults } from '../worker/result-store.ts';
import type { CommandContext } from './commands/base.ts';
import { loadJugfile } from './load-jugfile.ts';
import { formatTable } from './table.ts';

/** Declared tasks, each counted once. */
export interface TaskCount {
  readonly total: number;
  /** By function, sorted by name. */
  readonly functions: Readonly<Record<string, number>>;
}

/** Counts the tasks of a graph. */
export function countDeclared(graph: Graph): TaskCount {
  const counts = graph.functions.map(() => 0);
  for (const position of graph.functionOf) counts[position] = (counts[position] ?? 0) + 1;
  const rows = graph.functions.map((each, position) => [each.name, counts[position] ?? 0] as const);
  const sorted = rows.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return { total: graph.count, functions: Object.fromEntries(sorted) };
}

/** Prints how many tasks a jugfile declares. */
export async function countTasks(wanted: {
  readonly jugfile: string;
  readonly args: readonly string[];
  readonly external: readonly string[];
  readonly json: boolean;
  readonly context: CommandContext;
}): Promise<number> {
  const { context } = wanted;
  const { graph, waits } = await loadJugfile(wanted.jugfile, {
    cwd: context.cwd,
    args: wanted.args,
    external: wanted.external,
    store: noResults,
    onWarning: () => undefined,
    onProgress: (tasks) => context.stderr.write(`planning: ${tasks.toString()} tasks so far\n`),
    signal: context.interrupted,
  });
  const count = countDeclared(graph);
  const [wait] = waits;
  if (wait !== undefined) {
    context.stderr.write(
      `note: only what is declared before ${wait.place}, where planning waits for results\n`,
    );
  }
  context.stdout.write(`${wanted.json ? JSON.stringify(count) : formatCount(count)}\n`);
  return 0;
}

function formatCount({ total, functions }: TaskCount): string {
  const rows = Object.entries(functions);
  if (rows.length === 0) return 'no tasks are declared';
  return formatTable(['function', 'tasks'], rows.length > 1 ? [...rows, ['total', total]] : rows);
}
