/** `jugq cancel`, `pause` and `resume`: say what is to become of a run, and see that it does. */
import { isOver, type RunRecord } from '../core/records.ts';
import type { CommandContext } from './commands/base.ts';
import { findRun, wishCancelled, wishPaused } from './runs.ts';
import type { Session } from './session.ts';
import { watchRun } from './watch-run.ts';

/** A dispatcher elsewhere that has not answered by then is silent; this process takes over when its lease has ended. */
const answerMs = 20_000;

export interface ControlRequest {
  /** The beginning of the run's id; undefined: the newest run. */
  readonly run: string | undefined;
  readonly json: boolean;
  readonly context: CommandContext;
}

/** Cancels a run: nothing more of it is started, and what runs for it alone is ended. */
export async function cancelRun(session: Session, request: ControlRequest): Promise<number> {
  const run = await findRun(session.project, request.run);
  if (isOver(run.state)) return tell(request, run, 'already');
  await wishCancelled(session.project, run.id, { finish: false });
  return tell(request, await waitUntil(session, run, request, ({ state }) => isOver(state)));
}

/** Pauses a run: nothing more of it is published; what has begun is finished. */
export async function pauseRun(session: Session, request: ControlRequest): Promise<number> {
  const run = await findRun(session.project, request.run);
  if (isOver(run.state) || run.state === 'paused') return tell(request, run, 'already');
  await wishPaused(session.project, run.id, true);
  const isPaused = ({ state }: RunRecord): boolean => isOver(state) || state === 'paused';
  return tell(request, await waitUntil(session, run, request, isPaused));
}

/** Lets a paused run go on. */
export async function resumeRun(session: Session, request: ControlRequest): Promise<number> {
  const run = await findRun(session.project, request.run);
  await wishPaused(session.project, run.id, false);
  if (run.state !== 'paused') return tell(request, run, 'already');
  const goesOn = ({ state }: RunRecord): boolean => state !== 'paused';
  return tell(request, await waitUntil(session, run, request, goesOn));
}

/** Dispatches meanwhile if nobody else does. */
async function waitUntil(
  session: Session,
  { id }: RunRecord,
  { context }: ControlRequest,
  until: (record: RunRecord) => boolean,
): Promise<RunRecord> {
  const dispatcher = session.startDispatcher(() => undefined);
  try {
    return await watchRun(session.project, {
      run: id,
      signal: context.interrupted,
      timeoutMs: answerMs,
      onChange: () => undefined,
      until,
    });
  } finally {
    await dispatcher.stop();
  }
}

function tell({ json, context }: ControlRequest, run: RunRecord, already?: 'already'): number {
  const { id, state } = run;
  if (json) context.stdout.write(`${JSON.stringify({ run: id, state })}\n`);
  else context.stderr.write(`run ${id} is ${state}${already === undefined ? '' : ' already'}\n`);
  return 0;
}
