/**
 * `jugq retry`: what has failed is tried again.
 *
 * The failure records go, each only if it is still the one that was looked at. An active run that declares the task then
 * goes on with it. Where none is, the run that had ended is submitted again from its stored plan.
 */
import type { OpenProject } from '../broker/project.ts';
import { isJugqError } from '../core/errors.ts';
import { addCounts, isOver, type RunRecord } from '../core/records.ts';
import type { StandingFailure } from './failures.ts';
import type { Retried, RetriedRun } from './library-types.ts';
import { resubmitRun } from './resubmit-run.ts';
import { activeRuns } from './runs.ts';
import type { StoredPlan } from './stored-plans.ts';
import { watchRun } from './watch-run.ts';

/** The dispatcher takes this long at most to see that a failure is gone; a run that it ends meanwhile is taken up again. */
const noticeMs = 3000;

/**
 * Tries failures again.
 *
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
 */
export async function retryFailures(
  project: OpenProject,
  failures: readonly StandingFailure[],
): Promise<Retried> {
  const before = await activeRuns(project);
  const cleared = await clear(project, failures);
  const runs: RetriedRun[] = [];
  for (const stored of plansOf(cleared)) runs.push(await goOn(project, stored, before));
  return { cleared: cleared.length, runs };
}

/** A record that is another one by now is somebody else's word. */
async function clear(
  project: OpenProject,
  failures: readonly StandingFailure[],
): Promise<StandingFailure[]> {
  const gone: StandingFailure[] = [];
  for (let at = 0; at < failures.length; at += clearedAtOnce) {
    const some = failures.slice(at, at + clearedAtOnce);
    const revisions = await Promise.all(
      some.map(({ record, revision }) => project.failures.delete(record.task, revision)),
    );
    gone.push(...some.filter((_, i) => revisions[i] !== undefined));
  }
  return gone;
}

const clearedAtOnce = 256;

/** The plans with these failures, each once. */
function plansOf(failures: readonly StandingFailure[]): StoredPlan[] {
  return [...new Map(failures.map(({ stored }) => [stored.record.id, stored])).values()];
}

/** @param before - the active runs as they were before anything was cleared */
async function goOn(
  project: OpenProject,
  stored: StoredPlan,
  before: readonly RunRecord[],
): Promise<RetriedRun> {
  const { id, jugfile } = stored.record;
  const same = before.find((each) => each.id === id);
  if (same !== undefined && (await hasNoticed(project, same))) return { run: id };
  const active = await activeRuns(project);
  // A newer plan of the same jugfile has newer code: nothing older is put in front of it.
  const newer = active.find((each) => each.jugfile === jugfile && each.id > id);
  if (newer !== undefined) return { run: newer.id };
  const { id: run } = await resubmitRun(project, stored);
  return { run, again: id };
}

/** Whether a run goes on; one that its dispatcher was just about to end does not. */
async function hasNoticed(project: OpenProject, run: RunRecord): Promise<boolean> {
  const failedIn = ({ functions }: RunRecord): number => addCounts(Object.values(functions)).failed;
  const before = failedIn(run);
  try {
    const { state } = await watchRun(project, {
      run: run.id,
      timeoutMs: noticeMs,
      onChange: () => undefined,
      until: (record) => isOver(record.state) || failedIn(record) < before,
    });
    return !isOver(state);
  } catch (error) {
    // Nobody dispatches now, or what had failed has failed again: the run is active all the same.
    if (isJugqError(error, 'TIMED_OUT')) return true;
    throw error;
  }
}
