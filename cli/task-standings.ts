/** How a task and what it depends on stand: by asking for these alone, however large their plan is. */
import { readFailure } from '../broker/failures.ts';
import type { OpenProject } from '../broker/project.ts';
import type { ResultFacts } from '../broker/result-facts.ts';
import { functionOf, idOf, row, turnRound, type Graph } from '../core/graph.ts';
import type { BlobReference } from '../core/parcel.ts';
import { matchingTasks, parsePatterns } from '../core/patterns.ts';
import { isVoid, type FailureRecord, type TaskState } from '../core/records.ts';
import { unpack } from '../core/wire.ts';

/** What is known of one task. */
export interface Standing {
  readonly state: TaskState;
  readonly result?: StandingResult;
  /** Absent where there is a result, or where a later marker has made the record void. */
  readonly failure?: FailureRecord;
}

/** A result, without its value. */
export interface StandingResult {
  readonly facts: ResultFacts | undefined;
  /** ISO 8601. */
  readonly at: string;
  readonly bytes: number;
  readonly large: boolean;
}

interface Facts extends Omit<Standing, 'state'> {
  /** It had a result, which was dropped or invalidated. */
  readonly isGone?: boolean;
}

export interface StandingLimits {
  /** How many steps down the dependencies of finished tasks are looked at. */
  readonly depth: number;
  /** How many dependencies of each finished task. */
  readonly width: number;
  /** Patterns of the tasks that somebody has cancelled in the run. */
  readonly cancelling: readonly string[];
}

const readAtOnce = 256;
/** A task may wait for a million others: past this many, "waiting" is all that is said of it. */
const tasksMax = 10_000;

/**
 * Looks at a task, at what is missing below it, and at its dependencies within the limits.
 *
 * @returns by position in the graph
 */
export async function learnStandings(
  project: OpenProject,
  graph: Graph,
  root: number,
  limits: StandingLimits,
): Promise<Map<number, Standing>> {
  const facts = new Map<number, Facts>();
  let level = [root];
  for (let depth = 0; level.length > 0 && facts.size < tasksMax; depth++) {
    const next = new Set<number>();
    for (let at = 0; at < level.length && facts.size < tasksMax; at += readAtOnce) {
      const some = level.slice(at, at + readAtOnce);
      await Promise.all(
        some.map(async (task) => facts.set(task, await learn(project, graph, task))),
      );
    }
    for (const task of level) {
      const isFinished = facts.get(task)?.result !== undefined;
      if (isFinished && depth >= limits.depth) continue;
      const dependencies = row(graph.dependencies, task);
      const wanted = isFinished ? dependencies.subarray(0, limits.width) : dependencies;
      for (const dependency of wanted) if (!facts.has(dependency)) next.add(dependency);
    }
    level = [...next];
  }
  const dropped = await droppedAmong(project, graph, facts);
  const cancelled = new Set(matchingTasks(graph, parsePatterns(limits.cancelling)));
  return derive(graph, facts, { dropped, cancelled });
}

/**
 * Intermediate results that are gone and that nothing needs: all that take them have a result, or are dropped, too.
 *
 * What is not looked at because there is too much of it counts as in need of them.
 */
async function droppedAmong(
  project: OpenProject,
  graph: Graph,
  found: ReadonlyMap<number, Facts>,
): Promise<Set<number>> {
  const facts = new Map(found);
  const mayBeDropped = (task: number): boolean =>
    facts.get(task)?.isGone === true && functionOf(graph, task).keep === false;
  const open = [...facts.keys()].filter(mayBeDropped);
  if (open.length === 0) return new Set();
  const dependents = turnRound(graph.dependencies);
  const judged = new Set(open);
  for (let task = open.pop(); task !== undefined; task = open.pop()) {
    const unknown = [...row(dependents, task)].filter((each) => !facts.has(each));
    for (let at = 0; at < unknown.length && facts.size < tasksMax; at += readAtOnce) {
      const some = unknown.slice(at, at + readAtOnce);
      await Promise.all(
        some.map(async (each) => facts.set(each, await learn(project, graph, each))),
      );
    }
    for (const each of row(dependents, task)) {
      if (judged.has(each) || !mayBeDropped(each)) continue;
      judged.add(each);
      open.push(each);
    }
  }
  const dropped = new Set<number>();
  // Each task comes after what it depends on, so from the last what takes one is judged before it.
  for (const task of [...judged].sort((a, b) => b - a)) {
    const takers = [...row(dependents, task)];
    const isDone = (each: number): boolean =>
      facts.get(each)?.result !== undefined || dropped.has(each);
    // One that no task takes is the user's own result, and stays.
    if (takers.length > 0 && takers.every(isDone)) dropped.add(task);
  }
  return dropped;
}

/** Facts of a task that no plan declares. */
export async function learnAlone(project: OpenProject, id: string): Promise<Standing> {
  const facts = await learnTask(project, id);
  const { isGone: _was, ...known } = facts;
  return { ...known, state: ownState(facts) ?? 'waiting' };
}

function learn(project: OpenProject, graph: Graph, task: number): Promise<Facts> {
  return learnTask(project, idOf(graph, task));
}

async function learnTask(project: OpenProject, text: string): Promise<Facts> {
  const id = text as Parameters<typeof project.results.read>[0];
  const stored = await project.results.readLast(id);
  if (stored?.present === true) {
    const { data, facts, isBlob, storedAt } = stored;
    const bytes = isBlob
      ? (unpack(data, `the result of ${id}`) as BlobReference).size
      : data.length;
    // The server tells nanoseconds.
    const at = new Date(storedAt).toISOString();
    return { result: { facts, at, bytes, large: isBlob } };
  }
  const entry = await project.failures.get(id);
  const failure = entry && readFailure(project, entry);
  const isGone = stored !== undefined;
  return failure === undefined || isVoid(failure, stored?.revision ?? 0)
    ? { isGone }
    : { isGone, failure };
}

/** What its own facts say of a task, if they suffice. */
function ownState({ result, failure }: Facts): TaskState | undefined {
  if (result !== undefined) return 'finished';
  return failure?.kind === 'final' ? 'failed' : undefined;
}

/** Positions are a topological order: each task comes after what it depends on. */
function derive(
  graph: Graph,
  facts: ReadonlyMap<number, Facts>,
  {
    dropped,
    cancelled,
  }: { readonly dropped: ReadonlySet<number>; readonly cancelled: ReadonlySet<number> },
): Map<number, Standing> {
  const standings = new Map<number, Standing>();
  for (const [task, { isGone: _was, ...each }] of [...facts].sort(([a], [b]) => a - b)) {
    const states = [...row(graph.dependencies, task)].map((at) => standings.get(at)?.state);
    const below = (): TaskState => {
      if (states.some((state) => state === 'failed' || state === 'blocked')) return 'blocked';
      const isReady = states.every((state) => state === 'finished') && each.failure === undefined;
      return isReady ? 'ready' : 'waiting';
    };
    const isMissing = each.result === undefined;
    if (isMissing && (cancelled.has(task) || states.includes('cancelled')))
      standings.set(task, { ...each, state: 'cancelled' });
    else if (isMissing && dropped.has(task)) standings.set(task, { ...each, state: 'dropped' });
    else standings.set(task, { ...each, state: ownState(each) ?? below() });
  }
  return standings;
}
