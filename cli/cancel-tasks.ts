/**
 * `jugq cancel PATTERN`: tasks of active runs that nobody wants any more, with what depends on them.
 *
 * What is finished stays, and the rest of the runs goes on. A wish beside each run's record tells the dispatcher, which
 * takes queued tasks back and has running ones ended; planning again declares them anew.
 */
import { addCounts, isOver, valueFor, type RunRecord } from '../core/records.ts';
import { JugqError } from '../core/errors.ts';
import { matchingTasks, parsePatterns } from '../core/patterns.ts';
import { answerMs } from './cancel-run.ts';
import type { CommandContext } from './commands/base.ts';
import type { CancelledTasks } from './library-types.ts';
import { countOf } from './report.ts';
import { activeRuns, findRun, wishTasksCancelled } from './runs.ts';
import type { Session } from './session.ts';
import { readPlan } from './stored-plans.ts';
import { formatTable } from './table.ts';
import { watchRun } from './watch-run.ts';

/** Which tasks of which runs. */
export interface UnwantedTasks {
  /** As `parsePattern` takes them. */
  readonly patterns: readonly string[];
  /** The beginning of a run's id; undefined: all active runs. */
  readonly run: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Cancels tasks.
 *
 * @throws JugqError `USAGE` if no active run has a task that matches; `UNKNOWN_RUN`, `AMBIGUOUS_ID`, `TIMED_OUT`,
 *   `INTERRUPTED`
 */
export async function cancelTasks(
  session: Session,
  { patterns, run, signal }: UnwantedTasks,
): Promise<CancelledTasks> {
  const { project } = session;
  const active = await activeRuns(project);
  const meant = run === undefined ? active : [await findRun(project, run)];
  const hit = await withMatches(session, meant, patterns);
  const dispatcher = session.startDispatcher(() => undefined);
  try {
    const wishes = new Map<RunRecord, readonly string[]>();
    for (const record of hit)
      wishes.set(record, await wishTasksCancelled(project, record.id, patterns));
    const ends = [...wishes].map(([{ id }, wished]) =>
      watchRun(project, {
        run: id,
        ...(signal === undefined ? {} : { signal }),
        timeoutMs: answerMs,
        onChange: () => undefined,
        until: ({ state, cancelling = [] }) =>
          isOver(state) || wished.every((each) => cancelling.includes(each)),
      }),
    );
    return told(await Promise.all(ends));
  } finally {
    await dispatcher.stop();
  }
}

/** Cancels tasks on the command line, and tells what became of their runs. */
export async function showCancelledTasks(
  session: Session,
  wish: {
    readonly patterns: readonly string[];
    readonly run: string | undefined;
    readonly json: boolean;
    readonly context: CommandContext;
  },
): Promise<number> {
  const { patterns, run, json, context } = wish;
  const cancelled = await cancelTasks(session, { patterns, run, signal: context.interrupted });
  if (json) context.stdout.write(`${JSON.stringify({ kind: 'cancelled', ...cancelled })}\n`);
  else {
    const rows = Object.entries(cancelled.functions);
    if (rows.length > 0) context.stdout.write(`${formatTable(['function', 'cancelled'], rows)}\n`);
    const runs = cancelled.runs.map(({ id, state }) => `run ${id} is ${state}\n`);
    context.stderr.write(`${countOf(cancelled.tasks, 'task')} cancelled\n${runs.join('')}`);
  }
  return 0;
}

/** Those of the runs that have such tasks, finished or not. */
async function withMatches(
  session: Session,
  runs: readonly RunRecord[],
  texts: readonly string[],
): Promise<RunRecord[]> {
  const patterns = parsePatterns(texts);
  const unmet = new Set(patterns);
  const hit: RunRecord[] = [];
  for (const record of runs) {
    const stored = isOver(record.state) ? undefined : await readPlan(session.project, record);
    if (stored === undefined) continue;
    const met = patterns.filter((each) => matchingTasks(stored.plan.graph, [each]).length > 0);
    for (const each of met) unmet.delete(each);
    if (met.length > 0) hit.push(record);
  }
  const [nothing] = unmet;
  if (nothing === undefined) return hit;
  const where = runs.length === 1 ? `run ${runs[0]?.id ?? ''}` : 'the active runs';
  throw new JugqError(
    'USAGE',
    runs.length === 0
      ? `no run is active, so there is nothing to cancel in ${nothing.text}: see jugq status --all`
      : `no run and no task of ${where} matches ${nothing.text}: see jugq status for functions and runs`,
  );
}

/** What a run has cancelled altogether, also at earlier times. */
function told(records: readonly RunRecord[]): CancelledTasks {
  const functions: Record<string, number> = {};
  for (const { cancelled = {} } of records) {
    for (const [name, count] of Object.entries(cancelled))
      functions[name] = (valueFor(functions, name) ?? 0) + count;
  }
  const runs = records.map(({ id, state, functions: counts }) => {
    const { waiting, ready, failed, blocked } = addCounts(Object.values(counts));
    return { id, state, left: waiting + ready + failed + blocked };
  });
  const sorted = Object.entries(functions).sort(([a], [b]) => (a < b ? -1 : 1));
  const tasks = sorted.reduce((sum, [, count]) => sum + count, 0);
  return { tasks, functions: Object.fromEntries(sorted), runs };
}
