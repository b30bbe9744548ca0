/** The records of runs: which there are, which are active, and how one is cancelled. */
import type { Entry } from '../broker/bucket.ts';
import type { OpenProject } from '../broker/project.ts';
import { decodeRun, readRun } from '../broker/run-records.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import {
  decodeRecord,
  encodeRecord,
  isOver,
  recordFormat,
  type CancelTasksWish,
  type CancelWish,
  type RunRecord,
} from '../core/records.ts';

/** A planner that has said nothing for this long is gone, and its run never was one. */
export const planningMsMax = 10 * 60_000;

/** Whether anything may still happen in a run. */
export function isActive(record: RunRecord): boolean {
  if (record.state !== 'planning') return !isOver(record.state);
  return Date.now() - Date.parse(record.plannedAt) < planningMsMax;
}

/** Whether a run's planner is gone and has left no plan: no event tells of that, only the time that has passed. */
export function isAbandoned(record: RunRecord): boolean {
  return record.state === 'planning' && !isActive(record);
}

/** The newest of some runs, the oldest first; an abandoned one only if there is no other. */
export function newestOf(runs: readonly RunRecord[]): RunRecord | undefined {
  return runs.findLast((each) => !isAbandoned(each)) ?? runs.at(-1);
}

/** All runs whose records can be read here, the oldest first. */
export async function allRuns(project: OpenProject): Promise<RunRecord[]> {
  return runsIn(project, await project.runs.list());
}

function runsIn(project: OpenProject, entries: readonly Entry[]): RunRecord[] {
  const records = entries.flatMap((entry) => readRun(project, entry) ?? []);
  return records.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/**
 * As `allRuns`, for those who touch what no run refers to.
 *
 * @throws JugqError `FORMAT_UNKNOWN` if a newer version wrote one: what it refers to is not known here
 */
export async function everyRun(project: OpenProject): Promise<RunRecord[]> {
  const entries = await project.runs.list();
  for (const { key, value } of entries) {
    if (value === undefined || key.includes('.')) continue;
    try {
      decodeRun(value, key);
    } catch (error) {
      if (!isJugqError(error, 'VALUE_CORRUPT')) throw error;
    }
  }
  return runsIn(project, entries);
}

/** Active runs, the oldest first. */
export async function activeRuns(project: OpenProject): Promise<RunRecord[]> {
  return (await allRuns(project)).filter(isActive);
}

/** Of some runs, those that a user who names none means: the active ones, else the newest. */
export function meantOf(runs: readonly RunRecord[]): RunRecord[] {
  const active = runs.filter(isActive);
  if (active.length > 0) return active;
  const newest = newestOf(runs);
  return newest === undefined ? [] : [newest];
}

/** The active runs, else the newest. */
export async function currentRuns(project: OpenProject): Promise<RunRecord[]> {
  return meantOf(await allRuns(project));
}

/** Whether a word is the beginning of the id of a run, or looks like a whole one. */
export async function namesRun(project: OpenProject, word: string): Promise<boolean> {
  const id = word.toUpperCase();
  if (/^[0-9A-HJKMNP-TV-Z]{26}$/.test(id)) return true;
  return (await allRuns(project)).some((each) => each.id.startsWith(id));
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
  const newest = newestOf(runs);
  const matching =
    prefix === undefined
      ? newest === undefined
        ? []
        : [newest]
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
 * Changes the record of a run, whatever the dispatcher writes meanwhile.
 *
 * @param change - gives the record to be written, or undefined to leave it as it is
 * @returns the record written; undefined if it was left, or is gone
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT` if it cannot be read here
 */
export async function updateRun(
  project: OpenProject,
  id: RunId,
  change: (record: RunRecord) => RunRecord | undefined,
): Promise<RunRecord | undefined> {
  for (;;) {
    const entry = await project.runs.get(id);
    const known = entry?.value && decodeRun(entry.value, id);
    const next = known && change(known);
    if (entry === undefined || next === undefined) return undefined;
    const written = await project.runs.put(id, encodeRecord(next), entry.revision);
    if (written !== undefined) return next;
  }
}

/** Ends a run whose planning cannot go on from this step, and says why; not if somebody else has planned it on. */
export async function failRun(
  project: OpenProject,
  { id, step }: Pick<RunRecord, 'id' | 'step'>,
  note: string,
): Promise<void> {
  const endedAt = new Date().toISOString();
  await updateRun(project, id, (record) =>
    isOver(record.state) || record.step !== step
      ? undefined
      : { ...record, state: 'failed', note, endedAt },
  );
}

/**
 * Asks for a run to be cancelled: the dispatcher withdraws what is queued for it alone; results stay.
 *
 * The wish has a key of its own, so that it never competes with the dispatcher for the record.
 *
 * @param finish - what has begun may finish; otherwise it is ended
 */
export async function wishCancelled(
  project: OpenProject,
  run: RunId,
  { finish }: { readonly finish: boolean },
): Promise<void> {
  const wish: CancelWish = { format: recordFormat, finish };
  await project.runs.put(`${run}.cancel`, encodeRecord(wish));
}

/**
 * Asks for tasks of a run to be cancelled, beside those that somebody has asked for before.
 *
 * @returns all patterns that are to be cancelled now
 */
export async function wishTasksCancelled(
  project: OpenProject,
  run: RunId,
  patterns: readonly string[],
): Promise<readonly string[]> {
  const key = `${run}.cancel-tasks`;
  for (;;) {
    const entry = await project.runs.get(key);
    const before =
      entry?.value === undefined
        ? []
        : decodeRecord<CancelTasksWish>(entry.value, `the wish ${key}`).patterns;
    const all = [...new Set([...before, ...patterns])];
    const wish: CancelTasksWish = { format: recordFormat, patterns: all };
    const put = await project.runs.put(key, encodeRecord(wish), entry?.revision ?? 0);
    if (put !== undefined) return all;
  }
}

/** Why a run does not move that somebody has paused. */
export function pausedNote(run: RunId): string {
  return `run ${run} is paused: let it go on with jugq resume ${run}`;
}

/** Asks for a run to be paused, or to go on. */
export async function wishPaused(project: OpenProject, run: RunId, paused: boolean): Promise<void> {
  const key = `${run}.pause`;
  if (paused) await project.runs.put(key, encodeRecord({ format: recordFormat }));
  else await project.runs.delete(key);
}
