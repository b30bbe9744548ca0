/**
 * Invalidating: results that are wrong go, and all that was made of them.
 *
 * A marker is left on each task that goes and on each that depends on it, directly or not, whether it has a result or
 * not: so what runs meanwhile with old inputs is refused when it is done, and computed again. What depends on what is
 * told by the plans of all runs, and by what is kept of compounds that are not expanded in them. A plan that is stored
 * while this goes on is looked at too, and one that is stored later finds the markers.
 */
import { markResults } from '../broker/mark-results.ts';
import type { OpenProject } from '../broker/project.ts';
import { isStale, type ResultFacts } from '../broker/result-facts.ts';
import { scanHeads } from '../broker/result-heads.ts';
import { downstreamOf, reachExpansions, type Reason } from '../core/downstream.ts';
import { JugqError } from '../core/errors.ts';
import type { ExpansionGraph } from '../core/expansions.ts';
import { idOf, TaskIndex, type Graph } from '../core/graph.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import { matchesTask, matchingTasks, type Pattern } from '../core/patterns.ts';
import { isOver, valueFor, type RunRecord } from '../core/records.ts';
import { listExpansions, readExpansions } from './expansions.ts';
import type { Invalidated, InvalidatedFunction } from './library-types.ts';
import { allRuns, everyRun, updateRun } from './runs.ts';
import { findStale } from './stale-results.ts';
import { readPlan } from './stored-plans.ts';

/** Which results are meant. */
export interface InvalidateWish {
  /** One of them is to match; with `stale` there may be none: all match. */
  readonly patterns: readonly Pattern[];
  /** Only results that other code made than that of the newest plan that declares their task. */
  readonly stale?: boolean;
  /** Compounds that match take their inner tasks along. */
  readonly inner?: boolean;
}

interface DoomedTask {
  readonly reason: Reason;
  /** Of its result, if it has one. */
  readonly facts: ResultFacts | undefined;
  readonly present: boolean;
}

/** What is to go: tasks in an order in which each stands before those that depend on it. */
export interface Doomed {
  readonly wish: InvalidateWish;
  /** Results that are stale; undefined where others go, too. */
  readonly stale: ReadonlySet<TaskId> | undefined;
  readonly tasks: Map<TaskId, DoomedTask>;
  /** What each plan that has been looked at has of these, by its name and by its digest. */
  readonly seen: Map<string, readonly TaskId[]>;
  /** What compounds are made of, by the names that it is kept under. */
  readonly expansions: Map<string, ExpansionGraph | undefined>;
  /** What is reached through these: plans need not know that it is. */
  readonly through: Set<TaskId>;
}

/**
 * Finds what a wish hits and what depends on it, without changing anything.
 *
 * @throws JugqError `USAGE` if a pattern hits nothing; of what is stale there may be nothing
 */
export async function findDoomed(project: OpenProject, wish: InvalidateWish): Promise<Doomed> {
  const stale = wish.stale === true ? await findStale(project) : undefined;
  const doomed: Doomed = {
    ...{ wish, stale, tasks: new Map(), seen: new Map() },
    ...{ expansions: new Map(), through: new Set() },
  };
  await addFromGraphs(project, doomed);
  await addFromResults(project, doomed);
  if (stale !== undefined) return doomed;
  for (const pattern of wish.patterns) {
    const isHit = [...doomed.tasks].some(
      ([id, { reason }]) => reason === 'hit' && matches([pattern], id),
    );
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
    await addFromGraphs(project, doomed);
  }
  await tellRuns(project, doomed);
  return summaryOf(doomed);
}

/** Which functions each pattern hits, by its text. */
export function functionsHit({ wish, tasks }: Doomed): Map<Pattern, string[]> {
  const names = new Set(
    [...tasks].flatMap(([id, { reason }]) => (reason === 'hit' ? [nameOf(id)] : [])),
  );
  return new Map(
    wish.patterns.map((each) => [
      each,
      [...names].filter((name) => each.matchesFunction(name)).sort(),
    ]),
  );
}

/** What goes, by function. */
export function summaryOf({ tasks }: Doomed): Invalidated {
  const functions = new Map<string, Mutable<InvalidatedFunction>>();
  for (const [id, { reason, present }] of tasks) {
    const name = nameOf(id);
    const sum = functions.get(name) ?? { tasks: 0, results: 0, matched: 0 };
    functions.set(name, sum);
    sum.tasks++;
    sum.results += Number(present);
    sum.matched += Number(reason === 'hit');
    if (reason === 'inner') sum.inner = (sum.inner ?? 0) + 1;
  }
  const all = [...functions].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    tasks: tasks.size,
    results: all.reduce((sum, [, each]) => sum + each.results, 0),
    functions: Object.fromEntries(all),
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What compounds are made of comes first: all that such a task depends on is there with it. */
async function addFromGraphs(project: OpenProject, doomed: Doomed): Promise<void> {
  const { tasks, seen, expansions, through } = doomed;
  const names = (await listExpansions(project)).filter((name) => !expansions.has(name));
  for (const name of names) expansions.set(name, await readExpansions(project, name));
  if (names.length > 0) {
    const stored = [...expansions.values()].flatMap((each) => each ?? []);
    const before = through.size;
    const reached = reachExpansions(
      stored,
      (graph) => hitIn(graph, doomed),
      doomed.wish.inner === true,
    );
    for (const [id, reason] of reached) {
      through.add(id);
      if (!tasks.has(id)) tasks.set(id, { reason, present: false, facts: undefined });
    }
    if (through.size > before) seen.clear();
  }
  await addFromPlans(project, doomed);
}

/** A task stands behind its dependencies, because each plan that has it has them, too, and before it. */
async function addFromPlans(project: OpenProject, doomed: Doomed): Promise<void> {
  const { tasks, seen, through } = doomed;
  for (const record of await everyRun(project)) {
    if (record.plan === undefined || seen.has(record.plan)) continue;
    const digest = await project.plans.digest(record.plan);
    const same = digest === undefined ? [] : seen.get(digest);
    seen.set(record.plan, same ?? []);
    if (digest === undefined || same !== undefined) continue;
    const stored = await readPlan(project, record);
    if (stored === undefined) continue;
    const { graph } = stored.plan;
    const hit = new Set(hitIn(graph, doomed));
    const ids: TaskId[] = [];
    for (const task of downstreamOf(graph, [...hit, ...positionsIn(graph, [...through])])) {
      const id = idOf(graph, task);
      ids.push(id);
      const reason = hit.has(task) ? 'hit' : 'dependent';
      if (!tasks.has(id)) tasks.set(id, { reason, present: false, facts: undefined });
    }
    seen.set(record.plan, ids).set(digest, ids);
  }
}

/**
 * A run that has ended is followed by nobody any more: its record is told that these tasks are not finished now. What any
 * record says of stale results, its planner wrote once.
 *
 * It is for people alone: what is there is learnt from the results.
 */
async function tellRuns(project: OpenProject, { tasks, seen }: Doomed): Promise<void> {
  for (const record of await allRuns(project)) {
    const ids = record.plan === undefined ? undefined : seen.get(record.plan);
    if (ids === undefined) continue;
    const gone = new Map<string, number>();
    const stale = new Map<string, number>();
    for (const id of ids) {
      const { present = false, facts } = tasks.get(id) ?? {};
      if (!present) continue;
      const name = nameOf(id);
      gone.set(name, (gone.get(name) ?? 0) + 1);
      if (isStale(facts, valueFor(record.fingerprints, name) ?? ''))
        stale.set(name, (stale.get(name) ?? 0) + 1);
    }
    if (gone.size === 0 || (!isOver(record.state) && record.stale === undefined)) continue;
    await updateRun(project, record.id, (each) =>
      withoutStale(isOver(each.state) ? without(each, gone) : each, stale),
    );
  }
}

function without(record: RunRecord, gone: ReadonlyMap<string, number>): RunRecord {
  const functions = { ...record.functions };
  const invalidated = { ...record.invalidated };
  for (const [name, count] of gone) {
    const counts = valueFor(functions, name);
    if (counts === undefined) continue;
    const less = Math.min(count, counts.finished);
    functions[name] = { ...counts, finished: counts.finished - less };
    invalidated[name] = (valueFor(invalidated, name) ?? 0) + less;
  }
  return { ...record, functions, invalidated };
}

function withoutStale(record: RunRecord, gone: ReadonlyMap<string, number>): RunRecord {
  const { stale = {}, ...rest } = record;
  const left = Object.entries(stale)
    .map(([name, count]) => [name, count - (gone.get(name) ?? 0)] as const)
    .filter(([, count]) => count > 0);
  return left.length === 0 ? rest : { ...rest, stale: Object.fromEntries(left) };
}

/** Results that are hit and that no plan knows of any more go, too. */
async function addFromResults(project: OpenProject, doomed: Doomed): Promise<void> {
  const { wish, stale, tasks } = doomed;
  await scanHeads(project, undefined, ({ id, facts }) => {
    const known = tasks.get(id);
    if (known !== undefined) tasks.set(id, { ...known, present: true, facts });
    // What is stale is in a plan.
    else if (stale === undefined && matches(wish.patterns, id))
      tasks.set(id, { reason: 'hit', present: true, facts });
  });
}

/** The tasks of a graph that are hit. */
function hitIn(graph: Graph, { wish, stale }: Doomed): number[] {
  if (stale === undefined) return matchingTasks(graph, wish.patterns);
  const { patterns } = wish;
  return positionsIn(
    graph,
    [...stale].filter((id) => patterns.length === 0 || matches(patterns, id)),
  );
}

/** Those of the tasks that a graph has. */
function positionsIn(graph: Graph, tasks: readonly TaskId[]): number[] {
  if (tasks.length === 0) return [];
  const index = new TaskIndex(graph);
  return tasks.map((id) => index.find(id)).filter((task) => task !== -1);
}

function matches(patterns: readonly Pattern[], id: TaskId): boolean {
  return matchesTask(patterns, splitTaskId(id));
}

function nameOf(id: TaskId): string {
  return splitTaskId(id).functionName;
}
