/** Which runs a clean-up spares, and with them all that their plans refer to. */
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import type { RunRecord } from '../core/records.ts';
import { isActive } from './runs.ts';
import { readPlan, type StoredPlan } from './stored-plans.ts';

/** Whose runs are each other's successors: a jugfile with its arguments. */
export interface Origin {
  readonly jugfile: string;
  readonly args: readonly string[];
}

/**
 * The plans of the runs that are to be kept.
 *
 * These are all active runs, those that the user names, and the newest of each jugfile with its arguments. Where the
 * plan of the newest is not whole, because planning waits or ended on the way, an older one goes on to count until a
 * whole one is found.
 *
 * @param records - all runs, the oldest first
 * @param overtaken - whose newest runs do not count, because it is known what they would declare now
 * @throws JugqError `UNKNOWN_RUN` if the plan of a run that is to be kept is gone
 */
export async function keptPlans(
  project: OpenProject,
  records: readonly RunRecord[],
  named: readonly RunRecord[],
  overtaken: readonly Origin[],
): Promise<StoredPlan[]> {
  const kept: StoredPlan[] = [];
  const whole = new Set(overtaken.map(originKey));
  for (const record of records.toReversed()) {
    const origin = originKey(record);
    const isNamed = isActive(record) || named.some((each) => each.id === record.id);
    if (!isNamed && whole.has(origin)) continue;
    if (record.plan === undefined) continue;
    const stored = await readPlan(project, record);
    if (stored === undefined) throw planGone(record);
    kept.push(stored);
    if (stored.plan.waits.length === 0) whole.add(origin);
  }
  return kept;
}

function originKey({ jugfile, args }: Origin): string {
  return JSON.stringify([jugfile, args]);
}

/** Without its plan nobody knows what belongs to it. */
function planGone({ id, jugfile }: RunRecord): JugqError {
  return new JugqError(
    'UNKNOWN_RUN',
    `the plan of run ${id}, which is to be kept, is gone: plan ${jugfile} again, then clean up`,
  );
}
