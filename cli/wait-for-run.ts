/** `jugq wait`: watches a run from outside, and dispatches if nobody else does. */
import type { CommandContext } from './commands/base.ts';
import { startProgress } from './progress.ts';
import { failuresOf } from './failures.ts';
import { formatFailures, formatSummary, summaryOf } from './report.ts';
import { findRun } from './runs.ts';
import { decodePlanOf } from '../core/plan-format.ts';
import { retryCommand } from './retry-command.ts';
import type { RunRecord } from '../core/records.ts';
import type { Session } from './session.ts';
import { watchRun } from './watch-run.ts';

/** Waits for a run named by the beginning of its id, or the newest. */
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
      onChange: (view) => {
        progress?.update(view);
        if (json)
          context.stdout.write(
            `${JSON.stringify({ kind: 'progress', ...view.record.functions })}\n`,
          );
      },
    }).finally(() => progress?.end());
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
  const args = record.args.length === 0 ? [] : ['--', ...record.args];
  const again = retryCommand(['plan', record.jugfile, ...args]);
  context.stderr.write(`${formatFailures(failures, again)}\n`);
}
