/** `jugq wait`: watches a run from outside, and dispatches if nobody else does. */
import type { CommandContext } from './commands/base.ts';
import { startProgress } from './progress.ts';
import { formatSummary, summaryOf } from './report.ts';
import { findRun } from './runs.ts';
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
  const startedAt = performance.now();
  const { id } = await findRun(session.project, prefix);
  const progress = json ? undefined : startProgress(context.stderr as NodeJS.WriteStream);
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
    });
    progress?.end();
    const summary = summaryOf(record, (performance.now() - startedAt) / 1000);
    if (json) context.stdout.write(`${JSON.stringify(summary)}\n`);
    else context.stderr.write(`run ${id} ${record.state}: ${formatSummary(summary)}\n`);
    return record.state === 'finished' ? 0 : 1;
  } finally {
    progress?.end();
    await dispatcher.stop();
  }
}
