/** `jugq retry` on the command line. */
import { JugqError } from '../core/errors.ts';
import type { RetriedRun } from './library-types.ts';
import { countOf } from './report.ts';
import { retryFailures } from './retry-failures.ts';
import { isOver } from '../core/records.ts';
import type { Session } from './session.ts';
import { chosenFailures, noneChosen, type FailuresRequest } from './show-failures.ts';
import { watchRun } from './watch-run.ts';

export interface RetryRequest extends FailuresRequest {
  /** All failures. */
  readonly all: boolean;
}

/** Tries again what a command line means, and sees that somebody carries on. */
export async function runRetry(session: Session, request: RetryRequest): Promise<number> {
  const { context, json, all, patterns, cause } = request;
  if (!all && patterns.length === 0 && cause === undefined) {
    throw new JugqError(
      'USAGE',
      'retry what? give a task id, a pattern, --cause (see jugq status --failed), or --all',
    );
  }
  const { failures } = await chosenFailures(session, request);
  const dispatcher = session.startDispatcher(() => undefined);
  try {
    const retried = await retryFailures(session.project, failures);
    for (const { run, again } of retried.runs) if (again !== undefined) await begun(session, run);
    if (json) context.stdout.write(`${JSON.stringify({ kind: 'retried', ...retried })}\n`);
    else {
      const said = told(retried.cleared, failures.length === 0 ? noneChosen(request) : undefined);
      context.stderr.write(`${[said, ...retried.runs.map(tell)].join('\n')}\n`);
    }
  } finally {
    await dispatcher.stop();
  }
  return 0;
}

/** Somebody dispatches it, or will: the run is stored. */
async function begun(session: Session, run: string): Promise<void> {
  await watchRun(session.project, {
    run: run as Parameters<typeof watchRun>[1]['run'],
    timeoutMs: beginMs,
    onChange: () => undefined,
    until: ({ epoch, state }) => epoch > 0 || isOver(state),
  }).catch((error: unknown) => {
    if (!(error instanceof JugqError) || error.code !== 'TIMED_OUT') throw error;
  });
}

const beginMs = 10_000;

function told(cleared: number, none: string | undefined): string {
  if (cleared > 0) return `${countOf(cleared, 'task')} to be tried again`;
  return none === undefined ? 'nothing to try again' : `nothing to try again: ${none}`;
}

function tell({ run, again }: RetriedRun): string {
  return again === undefined
    ? `run ${run} goes on with them`
    : `run ${run} takes up run ${again} where it ended, with the code of its plan: after mending it, plan the jugfile again instead`;
}
