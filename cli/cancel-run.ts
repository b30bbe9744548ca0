/** `jugq cancel`: asks for the end of a run and sees that it comes. */
import { isOver } from '../core/records.ts';
import type { CommandContext } from './commands/base.ts';
import { findRun, wishCancelled } from './runs.ts';
import type { Session } from './session.ts';
import { watchRun } from './watch-run.ts';

/** A dispatcher elsewhere that has not answered by then is silent; this process takes over when its lease has ended. */
const cancelMs = 20_000;

/** Cancels a run named by the beginning of its id, or the newest. */
export async function cancelRun(
  session: Session,
  prefix: string | undefined,
  context: CommandContext,
): Promise<number> {
  const run = await findRun(session.project, prefix);
  if (isOver(run.state)) {
    context.stderr.write(`run ${run.id} is ${run.state} already\n`);
    return 0;
  }
  await wishCancelled(session.project, run.id);
  const dispatcher = session.startDispatcher(() => undefined);
  try {
    const { state } = await watchRun(session.project, {
      run: run.id,
      signal: context.interrupted,
      timeoutMs: cancelMs,
      onChange: () => undefined,
    });
    context.stderr.write(`run ${run.id} is ${state}\n`);
    return 0;
  } finally {
    await dispatcher.stop();
  }
}
