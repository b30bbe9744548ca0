/** `jugq wait`: watches a run from outside, and dispatches if nobody else does. */
import type { CommandContext } from './commands/base.ts';
import { startProgress } from './progress.ts';
import { failuresOf } from './failures.ts';
import { jugfilePath } from './jugfile-name.ts';
import { formatFailures, formatSummary, progressLine, summaryOf } from './report.ts';
import { findRun, isAbandoned } from './runs.ts';
import { decodePlanOf } from '../core/plan-format.ts';
import { retryCommand } from './retry-command.ts';
import { JugqError } from '../core/errors.ts';
import { isOver, type RunRecord } from '../core/records.ts';
import type { Session } from './session.ts';
import { watchRun } from './watch-run.ts';

/**
 * Waits for a run named by the beginning of its id, or the newest.
 *
 * @throws JugqError `UNKNOWN_RUN` also if its planner is gone and has left no plan; `AMBIGUOUS_ID`; as `watchRun` does
 */
export async function waitForRun(
  session: Session,
  prefix: string | undefined,
  options: {
    readonly timeoutMs: number | undefined;
    readonly json: boolean;
    readonly context: CommandContext;
  },
): Promise<number> {
  const { context, json, timeoutMs } = options;
  const { id } = await findRun(session.project, prefix);
  const progress = json ? undefined : await startProgress(context);
  const dispatcher = session.startDispatcher(() => undefined);
  try {
    const record = await watchRun(session.project, {
      run: id,
      signal: context.interrupted,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      until: (now) => isOver(now.state) || isAbandoned(now),
      onChange: (view) => {
        progress?.update(view);
        if (json) context.stdout.write(progressLine(view.record));
      },
    }).finally(() => progress?.end());
    if (isAbandoned(record)) throw abandoned(session.cwd, record);
    const summary = summaryOf(record, secondsOf(record));
    if (json) context.stdout.write(`${JSON.stringify(summary)}\n`);
    else {
      await tellFailures(session, record, context);
      if (record.state === 'failed' && record.note !== undefined)
        context.stderr.write(`${record.note}\n`);
      context.stderr.write(`run ${id} ${record.state}: ${formatSummary(summary)}\n`);
    }
    return record.state === 'finished' ? 0 : 1;
  } finally {
    await dispatcher.stop();
  }
}

function abandoned(cwd: string, record: RunRecord): JugqError {
  const { id, jugfile, host, pid } = record;
  return new JugqError(
    'UNKNOWN_RUN',
    `run ${id} has no plan: process ${pid.toString()} on ${host} ended while it planned ${jugfile}: plan it again: ${planAgain(cwd, record)}`,
  );
}

/** From being planned to its end, however late somebody comes to wait for it. */
function secondsOf({ plannedAt, endedAt }: RunRecord): number {
  const until = endedAt === undefined ? Date.now() : Date.parse(endedAt);
  // Two machines may have written the two.
  return Math.max(0, until - Date.parse(plannedAt)) / 1000;
}

/** Names the tasks of the run that failed, from its stored plan. */
async function tellFailures(
  session: Session,
  record: RunRecord,
  context: CommandContext,
): Promise<void> {
  if (record.state !== 'failed' || record.plan === undefined) return;
  const bytes = await session.project.plans.get(record.plan);
  if (bytes === undefined) return;
  const failures = await failuresOf(session.project, decodePlanOf(record.id, bytes).graph);
  if (failures.length === 0) return;
  context.stderr.write(`${formatFailures(failures, planAgain(session.cwd, record))}\n`);
}

function planAgain(cwd: string, { jugfile, args }: RunRecord): string {
  const path = jugfilePath(cwd, jugfile);
  return retryCommand(['plan', path, ...(args.length === 0 ? [] : ['--', ...args])]);
}
