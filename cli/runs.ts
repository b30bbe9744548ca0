/** The records of runs: which there are, which are active, and how one is cancelled. */
import type { Entry } from '../broker/bucket.ts';
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import {
  decodeRecord,
  encodeRecord,
  isOver,
  recordFormat,
  type RunRecord,
} from '../core/records.ts';

/** A planner that has said nothing for this long is gone, and its run never was one. */
const planningMsMax = 10 * 60_000;

/** The record in an entry of the runs' bucket; undefined for markers and wishes. */
export function readRun(entry: Entry): RunRecord | undefined {
  if (entry.value === undefined || entry.key.includes('.')) return undefined;
  return decodeRecord<RunRecord>(entry.value, `the record of run ${entry.key}`);
}

/** Whether anything may still happen in a run. */
export function isActive(record: RunRecord): boolean {
  if (record.state !== 'planning') return !isOver(record.state);
  return Date.now() - Date.parse(record.plannedAt) < planningMsMax;
}

/** All runs, the oldest first. */
export async function allRuns(project: OpenProject): Promise<RunRecord[]> {
  const records = (await project.runs.list()).flatMap((entry) => readRun(entry) ?? []);
  return records.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Active runs, the oldest first. */
export async function activeRuns(project: OpenProject): Promise<RunRecord[]> {
  return (await allRuns(project)).filter(isActive);
}

/**
 * The run that a user means.
 *
 * @param prefix - the beginning of an id; undefined: the newest run
 * @throws JugqError `UNKNOWN_RUN`, `AMBIGUOUS_ID`
 */
export async function findRun(
  project: OpenProject,
  prefix: string | undefined,
): Promise<RunRecord> {
  const runs = await allRuns(project);
  const matching =
    prefix === undefined
      ? runs.slice(-1)
      : runs.filter((each) => each.id.startsWith(prefix.toUpperCase()));
  const [found, ...others] = matching;
  if (found === undefined) {
    throw new JugqError(
      'UNKNOWN_RUN',
      prefix === undefined
        ? `project ${project.names.project} has no runs: plan one with jugq plan`
        : `no run begins with ${prefix}: see jugq status --all`,
    );
  }
  if (others.length > 0) {
    throw new JugqError(
      'AMBIGUOUS_ID',
      `${String(prefix)} could be any of ${matching.map((each) => each.id).join(', ')}: give more of it`,
    );
  }
  return found;
}

/**
 * Asks for a run to be cancelled: the dispatcher withdraws what is queued for it alone; results stay.
 *
 * The wish has a key of its own, so that it never competes with the dispatcher for the record.
 */
export async function wishCancelled(project: OpenProject, run: RunId): Promise<void> {
  await project.runs.put(`${run}.cancel`, encodeRecord({ format: recordFormat }));
}
