/** `jugq cancel`, `pause` and `resume`: say what is to become of a run, and see that it does. */
import { isOver, type RunRecord } from '../core/records.ts';
import type { CommandContext } from './commands/base.ts';
import { findRun, wishCancelled, wishPaused } from './runs.ts';
import type { Session } from './session.ts';
import { watchRun } from './watch-run.ts';

/** A dispatcher elsewhere that has not answered by then is silent; this process takes over when its lease has ended. */
export const answerMs = 20_000;

/** Which run, and what ends the waiting for it. */
export interface ControlledRun {
  /** The beginning of its id; undefined: the newest run. */
  readonly run: string | undefined;
  readonly signal?: AbortSignal;
}

/** What became of a run. */
export interface Controlled {
  readonly record: RunRecord;
  /** It was so before. */
  readonly already: boolean;
}

/**
 * Cancels a run: nothing more of it is started, and what runs for it alone is ended.
 *
 * @throws JugqError `UNKNOWN_RUN`, `AMBIGUOUS_ID`, `TIMED_OUT`, `INTERRUPTED`
 */
export async function cancelRun(session: Session, wanted: ControlledRun): Promise<Controlled> {
  const run = await findRun(session.project, wanted.run);
  if (isOver(run.state)) return { record: run, already: true };
  await wishCancelled(session.project, run.id, { finish: false });
  return waitUntil(session, run, wanted, ({ state }) => isOver(state));
}

/** Pauses a run: nothing more of it is published; what has begun is finished. Throws as `cancelRun` does. */
export async function pauseRun(session: Session, wanted: ControlledRun): Promise<Controlled> {
  const run = await findRun(session.project, wanted.run);
  if (isOver(run.state) || run.state === 'paused') return { record: run, already: true };
  await wishPaused(session.project, run.id, true);
  return waitUntil(session, run, wanted, ({ state }) => isOver(state) || state === 'paused');
}

/** Lets a paused run go on. Throws as `cancelRun` does. */
export async function resumeRun(session: Session, wanted: ControlledRun): Promise<Controlled> {
  const run = await findRun(session.project, wanted.run);
  await wishPaused(session.project, run.id, false);
  if (run.state !== 'paused') return { record: run, already: true };
  return waitUntil(session, run, wanted, ({ state }) => state !== 'paused');
}

/** Does one of these on the command line, and tells what became of the run. */
export async function controlRun(
  session: Session,
  act: (session: Session, wanted: ControlledRun) => Promise<Controlled>,
  wish: {
    readonly run: string | undefined;
    readonly json: boolean;
    readonly context: CommandContext;
  },
): Promise<number> {
  const { run, json, context } = wish;
  const { record, already } = await act(session, { run, signal: context.interrupted });
  const { id, state } = record;
  if (json) context.stdout.write(`${JSON.stringify({ run: id, state })}\n`);
  else context.stderr.write(`run ${id} is ${state}${already ? ' already' : ''}\n`);
  return 0;
}

/** Dispatches meanwhile if nobody else does. */
async function waitUntil(
  session: Session,
  { id }: RunRecord,
  { signal }: ControlledRun,
  until: (record: RunRecord) => boolean,
): Promise<Controlled> {
  const dispatcher = session.startDispatcher(() => undefined);
  try {
    const record = await watchRun(session.project, {
      run: id,
      ...(signal === undefined ? {} : { signal }),
      timeoutMs: answerMs,
      onChange: () => undefined,
      until,
    });
    return { record, already: false };
  } finally {
    await dispatcher.stop();
  }
}
