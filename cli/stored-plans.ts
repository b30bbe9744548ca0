/** The plans of a project's runs, as they are stored. */
import type { OpenProject } from '../broker/project.ts';
import { decodePlanOf, type Plan } from '../core/plan-format.ts';
import type { RunRecord } from '../core/records.ts';
import { allRuns } from './runs.ts';

/** A run and what it declared. */
export interface StoredPlan {
  readonly record: RunRecord;
  readonly plan: Plan;
}

/**
 * The plan of a run; undefined if it was never stored, or has been cleaned up.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT` if it cannot be read here
 */
export async function readPlan(
  project: OpenProject,
  record: RunRecord,
): Promise<StoredPlan | undefined> {
  const bytes = record.plan === undefined ? undefined : await project.plans.get(record.plan);
  return bytes === undefined ? undefined : { record, plan: decodePlanOf(record.id, bytes) };
}

/** All plans that can be read here, the newest first; each is read when it is asked for. */
export async function* storedPlans(project: OpenProject): AsyncGenerator<StoredPlan> {
  for (const record of (await allRuns(project)).reverse()) {
    const bytes = record.plan === undefined ? undefined : await project.plans.get(record.plan);
    if (bytes === undefined) continue;
    const place = { bucket: project.names.plans, key: record.plan ?? '' };
    const plan = project.unreadable.attempt(place, () => decodePlanOf(record.id, bytes));
    if (plan !== undefined) yield { record, plan };
  }
}
