/**
 * How far one run has come: a few facts a task, and the state that follows from them.
 *
 *                     ┌──────────── a dependency has no result ◄───────────┐
 *                     ▼                                                    │
 *      idle ───► waiting ───► ready ───► queued ───► finished ─ (deleted) ─┘
 *   (nobody          │          ▲           │
 *    needs it)       ▼          │           ├──► delayed ─ (retry is due) ─► ready
 *                 blocked       └─ (lost) ──┴──► failed
 *          (a dependency failed for good)
 *
 * A task that somebody has cancelled, and what depends on it, is `cancelled` until it has a result from elsewhere. An
 * intermediate result that is not to be kept makes its task `dropped` instead of idle once it is gone.
 *
 * No transition is coded by itself. A fact changes; `settle` derives the state anew, and where that matters to
 * neighbours (finished or not, failed or blocked or not, demanded or not) it changes their counters and settles them.
 * So the order, repetition or loss of events can delay a state but never make it contradict the facts.
 */
import { longestPaths, row, TaskIndex, turnRound, type Rows } from './graph.ts';
import type { RunId } from './identifiers.ts';
import type { KnownResult } from './known-results.ts';
import type { Plan } from './plan-format.ts';
import { ReadyTasks } from './ready-tasks.ts';
import { isVoid } from './records.ts';
import { wantedFacts } from './wanted-tasks.ts';

/** The states, as numbers that fit a byte. */
export const state = {
  idle: 0,
  waiting: 1,
  ready: 2,
  queued: 3,
  delayed: 4,
  finished: 5,
  failed: 6,
  blocked: 7,
  cancelled: 8,
  dropped: 9,
} as const;
/** How many states there are. */
export const stateCount = 10;

/** The facts, as bits. */
export const fact = {
  /** The last entry of its key is a value. */
  hasResult: 1,
  /** A final failure record stands. */
  failed: 2,
  /** A retry record stands and is not yet due. */
  delayed: 4,
  /** It is in the dispatcher's ledger: published, and nothing more was heard. */
  queued: 8,
  /** The user asked for its result (and not only for something that depends on it). */
  wanted: 16,
  /** A compound that is not expanded: what it is made of is not in the graph. */
  open: 32,
  /** Somebody wishes no result of it, or of something that it depends on, for this run. */
  cancelled: 64,
  /** An intermediate result, which goes when nothing needs it any more. */
  passing: 128,
} as const;

/** What is known of the failure record of a task. */
export interface KnownFailure {
  readonly revision: number;
  readonly kind: 'none' | 'retry' | 'final' | 'strike';
  readonly attempt: number;
  readonly dueAt: number;
  /** Revision of the task's key that the attempt was for. A later marker there makes the record void. */
  readonly expects: number;
  /** How long the attempt took; absent if it did not come to an end by itself. */
  readonly ms?: number | undefined;
}

export interface RunProgress {
  readonly id: RunId;
  readonly plan: Plan;
  /** Results with a later revision were executed for this run. */
  readonly basis: number;
  /** The first task that fails for good ends it. */
  readonly failFast: boolean;
  /** Nothing is published for it. */
  paused: boolean;
  /** Patterns of the tasks that have been cancelled. */
  cancelling: readonly string[];
  readonly index: TaskIndex;
  readonly dependents: Rows;
  readonly ready: ReadyTasks;
  readonly facts: Uint8Array;
  readonly state: Uint8Array;
  /** Dependencies without a result. */
  readonly missing: Uint32Array;
  /** Dependencies that failed, are blocked or cancelled. */
  readonly obstructed: Uint32Array;
  /** Dependents that are needed and have no result. */
  readonly demand: Uint32Array;
  /** Revision of the last entry of the task's key, value or marker; 0: none. */
  readonly revision: Float64Array;
  readonly failures: Map<number, KnownFailure>;
  readonly delayed: Set<number>;
  /** None of the delayed is due before, epoch ms; Infinity if there is none. */
  dueFrom: number;
  /** Tasks by function and state: `counts[function * stateCount + state]`. */
  readonly counts: Int32Array;
  /** Tasks that left the state `queued` by a change elsewhere; the dispatcher empties it. */
  readonly unqueued: number[];
  /** Intermediate results that nothing in this run needs any more; the dispatcher empties it. */
  readonly unneeded: number[];
  /** Of the results that were dropped, those that had been there before the run. */
  readonly droppedCached: Set<number>;
  /** Of each wait of the plan, how many of its tasks were seen finished, in their order. */
  readonly waited: Uint32Array;
  /** It was told that planning can go on. */
  awake: boolean;
}

/** A run, as its record tells it. */
export interface RunStart {
  readonly id: RunId;
  readonly plan: Plan;
  readonly basis: number;
  /** Patterns of the tasks that are wanted, with what they need; absent: all tasks. */
  readonly targets?: readonly string[] | undefined;
  readonly failFast?: boolean | undefined;
}

/**
 * A run with what is known of its results and failures.
 *
 * @param cost - expected milliseconds of one task, by function name
 */
export function startRun(
  run: RunStart,
  results: Iterable<KnownResult>,
  failures: Iterable<readonly [task: number, KnownFailure]>,
  cost: (functionName: string) => number,
): RunProgress {
  const steps = startRunInSteps(run, results, failures, cost);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * As `startRun`, in steps: a million tasks take seconds, and between two of these others, such as the renewal of a
 * lease, can have their turn. Nothing else may know of the run before it is done.
 */
export function* startRunInSteps(
  run: RunStart,
  results: Iterable<KnownResult>,
  failures: Iterable<readonly [task: number, KnownFailure]>,
  cost: (functionName: string) => number,
): Generator<undefined, RunProgress> {
  const { graph } = run.plan;
  const longest = longestPaths(
    graph,
    graph.functions.map((each) => cost(each.name)),
  );
  yield;
  const index = new TaskIndex(graph);
  yield;
  const dependents = turnRound(graph.dependencies);
  yield;
  const { id, plan, basis, failFast = false } = run;
  const progress: RunProgress = {
    ...{ id, plan, basis, failFast },
    paused: false,
    cancelling: [],
    index,
    dependents,
    ready: new ReadyTasks(longest, graph.functions.length),
    facts: wantedFacts(run, dependents),
    state: new Uint8Array(graph.count),
    missing: new Uint32Array(graph.count),
    obstructed: new Uint32Array(graph.count),
    demand: new Uint32Array(graph.count),
    revision: new Float64Array(graph.count),
    failures: new Map(),
    delayed: new Set(),
    dueFrom: Infinity,
    counts: new Int32Array(graph.functions.length * stateCount),
    unqueued: [],
    unneeded: [],
    droppedCached: new Set(),
    waited: new Uint32Array(run.plan.waits.length),
    awake: false,
  };
  for (const task of run.plan.open) setBit(progress, task, fact.open, true);
  for (const { task, revision, present } of results) {
    progress.revision[task] = revision;
    if (present) setBit(progress, task, fact.hasResult, true);
  }
  for (const [task, failure] of failures) {
    progress.failures.set(task, failure);
    judgeFailure(progress, task);
  }
  yield;
  deriveAll(progress);
  yield;
  pushReady(progress);
  for (let task = 0; task < graph.count; task++) noteUnneeded(progress, task);
  return progress;
}

/** Whether the fact holds. */
export function holds(run: RunProgress, task: number, bit: number): boolean {
  return ((run.facts[task] ?? 0) & bit) !== 0;
}

/** Changes one fact and everything that follows from it. */
export function setFact(run: RunProgress, task: number, bit: number, value: boolean): void {
  if (holds(run, task, bit) === value) return;
  settle(run, changeBit(run, task, bit, value));
}

/** Writes down the last entry of a task's key and sets the facts that follow. */
export function learnResult(run: RunProgress, known: KnownResult): void {
  const { task, revision, present } = known;
  run.revision[task] = revision;
  judgeFailure(run, task);
  settle(run, changeBit(run, task, fact.hasResult, present));
  noteUnneeded(run, task);
}

/** Writes down what is known of a failure record and sets the facts that follow. */
export function learnFailure(run: RunProgress, task: number, failure: KnownFailure): void {
  run.failures.set(task, failure);
  judgeFailure(run, task);
  settle(run, [task]);
}

/** The failure record that counts for a task: none that a later entry of the task's key has made void. */
export function standingFailure(run: RunProgress, task: number): KnownFailure | undefined {
  const failure = run.failures.get(task);
  if (failure === undefined || failure.kind === 'none') return undefined;
  return isVoid(failure, run.revision[task] ?? 0) ? undefined : failure;
}

/** Whether the failure record of a task is to be deleted: a result or a marker has overtaken it. */
export function isOvertaken(run: RunProgress, task: number): boolean {
  const kind = run.failures.get(task)?.kind ?? 'none';
  if (kind === 'none') return false;
  return holds(run, task, fact.hasResult) || standingFailure(run, task) === undefined;
}

/** Number of tasks in a state. */
export function countIn(run: RunProgress, wanted: number): number {
  let sum = 0;
  for (let at = wanted; at < run.counts.length; at += stateCount) sum += run.counts[at] ?? 0;
  return sum;
}

/** Everything derived, from the facts alone: demand against the order of declaration, the rest along it. */
export function deriveAll(run: RunProgress): void {
  const { graph } = run.plan;
  run.missing.fill(0);
  run.obstructed.fill(0);
  run.demand.fill(0);
  run.counts.fill(0);
  for (let task = graph.count - 1; task >= 0; task--) {
    if (!demands(run, task)) continue;
    for (const dependency of row(graph.dependencies, task)) add(run.demand, dependency, 1);
  }
  for (let task = 0; task < graph.count; task++) {
    for (const dependency of row(graph.dependencies, task)) {
      const theirs = run.state[dependency] ?? 0;
      if (theirs !== state.finished) add(run.missing, task, 1);
      if (obstructs(theirs)) add(run.obstructed, task, 1);
    }
    const next = derive(run, task);
    run.state[task] = next;
    add(run.counts, countAt(run, task, next), 1);
  }
}

function pushReady(run: RunProgress): void {
  run.state.forEach((each, task) => {
    if (each === state.ready) run.ready.push(run.plan.graph.functionOf[task] ?? 0, task);
  });
}

/** Changes one fact and the demand that follows from it; returns the tasks to be settled. */
function changeBit(run: RunProgress, task: number, bit: number, value: boolean): number[] {
  const before = demands(run, task);
  setBit(run, task, bit, value);
  const pending = [task];
  if (before !== demands(run, task)) changeDemand(run, task, pending);
  return pending;
}

function settle(run: RunProgress, pending: number[]): void {
  for (let task = pending.pop(); task !== undefined; task = pending.pop()) {
    const before = run.state[task] ?? 0;
    const after = derive(run, task);
    if (before === after) continue;
    run.state[task] = after;
    add(run.counts, countAt(run, task, before), -1);
    add(run.counts, countAt(run, task, after), 1);
    if (after === state.ready) run.ready.push(run.plan.graph.functionOf[task] ?? 0, task);
    if (before === state.queued) run.unqueued.push(task);
    const finished = Number(after === state.finished) - Number(before === state.finished);
    const obstructing = Number(obstructs(after)) - Number(obstructs(before));
    if (finished === 0 && obstructing === 0) continue;
    for (const dependent of row(run.dependents, task)) {
      add(run.missing, dependent, -finished);
      add(run.obstructed, dependent, obstructing);
      pending.push(dependent);
    }
  }
}

/** Walks down the dependencies after `task` began or ceased to demand them. */
function changeDemand(run: RunProgress, task: number, pending: number[]): void {
  const changed = [task];
  for (let each = changed.pop(); each !== undefined; each = changed.pop()) {
    const change = demands(run, each) ? 1 : -1;
    for (const dependency of row(run.plan.graph.dependencies, each)) {
      const before = demands(run, dependency);
      add(run.demand, dependency, change);
      noteUnneeded(run, dependency);
      pending.push(dependency);
      if (before !== demands(run, dependency)) changed.push(dependency);
    }
  }
}

/** Whether a result may be dropped, as far as this run knows. */
export function isUnneeded(run: RunProgress, task: number): boolean {
  const bits = fact.passing | fact.hasResult;
  return ((run.facts[task] ?? 0) & bits) === bits && run.demand[task] === 0;
}

function noteUnneeded(run: RunProgress, task: number): void {
  if (isUnneeded(run, task)) run.unneeded.push(task);
}

function derive(run: RunProgress, task: number): number {
  const facts = run.facts[task] ?? 0;
  if (facts & fact.hasResult) return state.finished;
  if (facts & fact.cancelled) return state.cancelled;
  if (!demands(run, task))
    return facts & fact.passing && (run.revision[task] ?? 0) > 0 ? state.dropped : state.idle;
  if (facts & fact.failed) return state.failed;
  if ((run.obstructed[task] ?? 0) > 0) return state.blocked;
  if ((run.missing[task] ?? 0) > 0 || facts & fact.open) return state.waiting;
  if (facts & fact.delayed) return state.delayed;
  return facts & fact.queued ? state.queued : state.ready;
}

/** A task is needed if it is wanted or something that needs it is; it demands its dependencies while it has no result. */
function demands(run: RunProgress, task: number): boolean {
  const facts = run.facts[task] ?? 0;
  if (facts & (fact.hasResult | fact.cancelled)) return false;
  return (facts & fact.wanted) !== 0 || (run.demand[task] ?? 0) > 0;
}

function obstructs(each: number): boolean {
  return each === state.failed || each === state.blocked || each === state.cancelled;
}

/** Sets the facts that follow from the failure record of a task. */
function judgeFailure(run: RunProgress, task: number): void {
  if (!run.failures.has(task)) return;
  const standing = standingFailure(run, task);
  const isDelayed = standing?.kind === 'retry';
  setBit(run, task, fact.failed, standing?.kind === 'final');
  setBit(run, task, fact.delayed, isDelayed);
  if (!isDelayed) {
    run.delayed.delete(task);
    return;
  }
  run.delayed.add(task);
  run.dueFrom = Math.min(run.dueFrom, standing.dueAt);
}

function setBit(run: RunProgress, task: number, bit: number, value: boolean): void {
  const facts = run.facts[task] ?? 0;
  run.facts[task] = value ? facts | bit : facts & ~bit;
}

function countAt(run: RunProgress, task: number, each: number): number {
  return (run.plan.graph.functionOf[task] ?? 0) * stateCount + each;
}

function add(array: Uint32Array | Int32Array, at: number, change: number): void {
  array[at] = (array[at] ?? 0) + change;
}
