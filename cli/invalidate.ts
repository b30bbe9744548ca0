/**
 * Invalidating: results that are wrong go, and all that was made of them.
 *
 * A marker is left on each task that goes and on each that depends on it, directly or not, whether it has a result or
 * not: so what runs meanwhile with old inputs is refused when it is done, and computed again. What depends on what is
 * told by the plans of all runs. A plan that is stored while this goes on is looked at too, and one that is stored later
 * finds the markers.
 */
import { markResults } from '../broker/mark-results.ts';
import type { OpenProject } from '../broker/project.ts';
import { scanHeads } from '../broker/result-heads.ts';
import { downstreamOf } from '../core/downstream.ts';
import { JugqError } from '../core/errors.ts';
import { idOf } from '../core/graph.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import { matchesTask, matchingTasks, type Pattern } from '../core/patterns.ts';
import { isOver, type RunRecord } from '../core/records.ts';
import type { Invalidated, InvalidatedFunction } from './library-types.ts';
import { allRuns, updateRun } from './runs.ts';
import { readPlan } from './stored-plans.ts';

/** What is to go: tasks in an order in which each stands before those that depend on it. */
export interface Doomed {
  readonly patterns: readonly Pattern[];
  readonly tasks: Map<TaskId, { readonly matched: boolean; present: boolean }>;
  /** What each plan that has been looked at has of these, by its name and by its digest. */
  readonly seen: Map<string, readonly TaskId[]>;
}

/**
 * Finds what patterns hit and what depends on it, without changing anything.
 *
 * @throws JugqError `USAGE` if a pattern hits nothing
 */
export async function findDoomed(
  project: OpenProject,
  patterns: readonly Pattern[],
): Promise<Doomed> {
  const doomed: Doomed = { patterns, tasks: new Map(), seen: new Map() };
  await addFromPlans(project, doomed);
  await addFromResults(project, doomed);
  for (const pattern of patterns) {
    const isHit = [...doomed.tasks].some(([id, each]) => each.matched && hits([pattern], id));
    if (isHit) continue;
    throw new JugqError(
      'USAGE',
      `no task and no result matches ${pattern.text}: see jugq status --all for the functions that there are`,
    );
  }
  return doomed;
}

/**
 * Makes what was found go.
 *
 * @param onMarked - called now and then with how many tasks are marked
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`: doing it again completes it
 */
export async function invalidateDoomed(
  project: OpenProject,
  doomed: Doomed,
  onMarked: (count: number) => void,
): Promise<Invalidated> {
  let marked = 0;
  while (marked < doomed.tasks.size) {
    const next = [...doomed.tasks.keys()].slice(marked);
    const before = marked;
    await markResults(project, next, (count) => {
      onMarked(before + count);
    });
    marked = doomed.tasks.size;
    // A run that was planned meanwhile may have taken what was not yet marked.
    await addFromPlans(project, doomed);
  }
  await tellEndedRuns(project, doomed);
  return summaryOf(doomed);
}

/** Which functions each pattern hits, by its text. */
export function functionsHit({ patterns, tasks }: Doomed): Map<Pattern, string[]> {
  const names = new Set([...tasks].flatMap(([id, { matched }]) => (matched ? [nameOf(id)] : [])));
  return new Map(
    patterns.map((each) => [each, [...names].filter((name) => each.matchesFunction(name)).sort()]),
  );
}

/** What goes, by function. */
export function summaryOf({ tasks }: Doomed): Invalidated {
  const functions = new Map<string, Mutable<InvalidatedFunction>>();
  for (const [id, { matched, present }] of tasks) {
    const name = nameOf(id);
    const sum = functions.get(name) ?? { tasks: 0, results: 0, matched: 0 };
    functions.set(name, sum);
    sum.tasks++;
    sum.results += Number(present);
    sum.matched += Number(matched);
  }
  const all = [...functions].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    tasks: tasks.size,
    results: all.reduce((sum, [, each]) => sum + each.results, 0),
    functions: Object.fromEntries(all),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A task stands behind its dependencies, because each plan that has it has them, too, and before it. */
async function addFromPlans(project: OpenProject, doomed: Doomed): Promise<void> {
  const { patterns, tasks, seen } = doomed;
  for (const record of await allRuns(project)) {
    if (record.plan === undefined || seen.has(record.plan)) continue;
    const digest = await project.plans.digest(record.plan);
    const same = digest === undefined ? [] : seen.get(digest);
    seen.set(record.plan, same ?? []);
    if (digest === undefined || same !== undefined) continue;
    const stored = await readPlan(project, record);
    if (stored === undefined) continue;
    const { graph } = stored.plan;
    const matching = matchingTasks(graph, patterns);
    const matched = new Set(matching);
    const ids: TaskId[] = [];
    for (const task of downstreamOf(graph, matching)) {
      const id = idOf(graph, task);
      ids.push(id);
      if (!tasks.has(id)) tasks.set(id, { matched: matched.has(task), present: false });
    }
    seen.set(record.plan, ids).set(digest, ids);
  }
}

/**
 * A run that has ended is followed by nobody any more: its record is told that these tasks are not finished now.
 *
 * It is for people alone: what is there is learnt from the results.
 */
async function tellEndedRuns(project: OpenProject, { tasks, seen }: Doomed): Promise<void> {
  for (const record of await allRuns(project)) {
    const ids = record.plan === undefined ? undefined : seen.get(record.plan);
    if (!isOver(record.state) || ids === undefined) continue;
    const gone = new Map<string, number>();
    for (const id of ids) {
      if (tasks.get(id)?.present !== true) continue;
      gone.set(nameOf(id), (gone.get(nameOf(id)) ?? 0) + 1);
    }
    if (gone.size > 0) await updateRun(project, record.id, (each) => without(each, gone));
  }
}

function without(record: RunRecord, gone: ReadonlyMap<string, number>): RunRecord {
  const functions = { ...record.functions };
  const invalidated = { ...record.invalidated };
  for (const [name, count] of gone) {
    const counts = functions[name];
    if (counts === undefined) continue;
    const less = Math.min(count, counts.finished);
    functions[name] = { ...counts, finished: counts.finished - less };
    invalidated[name] = (invalidated[name] ?? 0) + less;
  }
  return { ...record, functions, invalidated };
}

/** Results that match and that no plan knows of any more go, too. */
async function addFromResults(project: OpenProject, { patterns, tasks }: Doomed): Promise<void> {
  await scanHeads(project, undefined, ({ id }) => {
    const known = tasks.get(id);
    if (known !== undefined) known.present = true;
    else if (hits(patterns, id)) tasks.set(id, { matched: true, present: true });
  });
}

function hits(patterns: readonly Pattern[], id: TaskId): boolean {
  return matchesTask(patterns, splitTaskId(id));
}

function nameOf(id: TaskId): string {
  return splitTaskId(id).functionName;
}
