/** Leaves markers on many results, in an order that holds whatever happens on the way. */
import type { TaskId } from '../core/identifiers.ts';
import { toJugqError } from './nats-errors.ts';
import type { OpenProject } from './project.ts';

/**
 * Marks results as missing, whatever stands there.
 *
 * The marker of a task is older than those of its dependents: whoever computes a dependent afterwards knows by that,
 * which of its inputs may be from before. Markers are sent in a pipeline; should the server have taken two in another
 * order (one was sent again), they and all behind them are left once more.
 *
 * @param ids - each before those that depend on it
 * @param onMarked - called with how many have been marked so far
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`: those before are marked, so doing it again completes it
 */
export async function markResults(
  { publisher, results }: OpenProject,
  ids: readonly TaskId[],
  onMarked: (count: number) => void,
): Promise<void> {
  let pending = ids;
  while (pending.length > 0) {
    const revisions = new Float64Array(pending.length);
    const open = new Set<Promise<void>>();
    let refused: unknown;
    for (const [at, id] of pending.entries()) {
      await publisher.room();
      if (refused !== undefined) break;
      const one = results.mark(id).then((outcome) => {
        open.delete(one);
        if (outcome.kind === 'stored') revisions[at] = outcome.sequence;
        else refused = outcome;
      });
      open.add(one);
      if (at % tellEvery === 0) onMarked(ids.length - pending.length + at);
    }
    await Promise.all(open);
    if (refused !== undefined) throw toJugqError(refused, 'invalidating results');
    pending = pending.slice(firstOutOfOrder(revisions));
  }
  onMarked(ids.length);
}

const tellEvery = 10_000;

/** The first that is older than one before it; past the end if there is none. */
function firstOutOfOrder(revisions: Float64Array): number {
  const at = revisions.findIndex((each, position) => each < (revisions[position - 1] ?? 0));
  return at === -1 ? revisions.length : at;
}
