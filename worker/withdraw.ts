/** Takes messages back, out of the queue and out of the hands of workers, as the dispatcher has decided. */
import type { OpenProject } from '../broker/project.ts';
import { recall } from '../broker/recall.ts';
import type { MessagePlace, Recall } from '../core/dispatch.ts';

/** A message to be withdrawn, and what becomes of it where a worker holds it. */
export type Withdrawal = MessagePlace & { readonly recall: Recall };

/**
 * Withdraws messages.
 *
 * @returns those that are out of the queue; the others stay in it, because somebody has begun with them
 */
export async function withdrawAll(
  { connection, names, queue }: OpenProject,
  withdrawals: readonly Withdrawal[],
): Promise<MessagePlace[]> {
  const idle = withdrawals.filter((each) => each.recall === 'idle');
  const begun = await recall(connection, names, idle, 'idle');
  const staying = new Set(begun.map(keyOf));
  const going = withdrawals.filter((each) => !staying.has(keyOf(each)));
  for (let at = 0; at < going.length; at += withdrawnAtOnce) {
    await Promise.all(going.slice(at, at + withdrawnAtOnce).map((each) => queue.withdraw(each)));
  }
  // Only now: nobody can take again what he is told to let go of.
  const ended = going.filter((each) => each.recall === 'all');
  await recall(connection, names, ended, 'all');
  return going;
}

const withdrawnAtOnce = 256;

function keyOf({ head, queue }: MessagePlace): string {
  return `${queue} ${head}`;
}
