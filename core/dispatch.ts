/**
 * The dispatcher, decided: which task is published when. It does no I/O and reads no clock.
 *
 * `apply` takes what was seen and returns what to do. The ledger holds what is believed to be in the queue; belief is
 * checked by sweeps, never trusted for ever:
 *
 *     ready ──publish──► in the ledger ──result, failure or marker seen──► out
 *                           │      ▲
 *                  (sweep: not in  │ (refused as already queued: stays, unconfirmed)
 *                   the queue)     │
 *                           └──► verify ──no result, no failure──► out, ready again
 */
import { idOf, functionOf, hashText, row } from './graph.ts';
import type { RunId, TaskId } from './identifiers.ts';
import { invariant } from './errors.ts';
import {
  countIn,
  fact,
  holds,
  isComplete,
  learnFailure,
  setFact,
  state as states,
  validateRun,
  wakeDelayed,
  type KnownFailure,
  type RunProgress,
} from './run-progress.ts';

/** A task that is believed to be queued. */
interface LedgerEntry {
  /** First task of the parcel: its id is the message's subject. */
  readonly head: TaskId;
  readonly queue: string;
  /** Bundle that the parcel names. */
  readonly code: string;
  /** When it was published, epoch ms of the caller. */
  readonly since: number;
}

/** How long tasks of a function take. */
interface Duration {
  readonly seen: number;
  readonly meanMs: number;
}

export interface DispatchState {
  /** Active runs, the oldest first. */
  readonly runs: RunProgress[];
  readonly ledger: Map<TaskId, LedgerEntry>;
  /** Tasks in the ledger, by queue. */
  readonly queued: Map<string, number>;
  readonly durations: Map<string, Duration>;
  /** Threads of all workers; 0: none is known. */
  threads: number;
  /** Publish nothing before this moment (the server had no room), epoch ms. */
  heldUntil: number;
}

export type DispatchEvent =
  | { readonly kind: 'run-added'; readonly run: RunProgress }
  | { readonly kind: 'run-removed'; readonly run: RunId }
  /** The last entry of a result's key: a value, or a marker. */
  | {
      readonly kind: 'result';
      readonly id: TaskId;
      readonly revision: number;
      readonly present: boolean;
      readonly ms?: number;
    }
  | { readonly kind: 'failure'; readonly id: TaskId; readonly failure: KnownFailure }
  | { readonly kind: 'refused'; readonly tasks: readonly TaskId[] }
  /** Found in the queue by a new dispatcher. */
  | {
      readonly kind: 'found';
      readonly head: TaskId;
      readonly tasks: readonly TaskId[];
      readonly code: string;
      readonly queue: string;
    }
  /** The queue's messages, by head, as read not before `readAt`. */
  | { readonly kind: 'swept'; readonly heads: ReadonlySet<TaskId>; readonly readAt: number }
  /** Neither in the queue nor resulted nor failed, although published before `readAt`. */
  | { readonly kind: 'absent'; readonly tasks: readonly TaskId[]; readonly readAt: number }
  | { readonly kind: 'withdrawn'; readonly head: TaskId }
  | { readonly kind: 'threads'; readonly threads: number }
  | { readonly kind: 'tick' };

export type Instruction =
  | {
      readonly kind: 'publish';
      /** The newest run that declares the tasks; positions are of its graph. */
      readonly run: RunProgress;
      readonly tasks: readonly number[];
      readonly head: TaskId;
      readonly quick: boolean;
    }
  | { readonly kind: 'clear-failure'; readonly id: TaskId; readonly revision: number }
  /** Remove the message from the queue. */
  | { readonly kind: 'withdraw'; readonly head: TaskId }
  /** Look whether they have a result or a failure by now, and report those that have neither as absent. */
  | { readonly kind: 'verify'; readonly tasks: readonly TaskId[]; readonly readAt: number }
  | {
      readonly kind: 'complete';
      readonly run: RunProgress;
      readonly outcome: 'finished' | 'failed';
    };

/** Nothing to do and nothing known. */
export function startDispatch(): DispatchState {
  return {
    runs: [],
    ledger: new Map(),
    queued: new Map(),
    durations: new Map(),
    threads: 0,
    heldUntil: 0,
  };
}

/**
 * Takes in what was seen and decides what to do next.
 *
 * @param now - epoch ms
 */
export function apply(
  state: DispatchState,
  events: readonly DispatchEvent[],
  now: number,
): Instruction[] {
  const instructions: Instruction[] = [];
  for (const event of events) take(state, event, now, instructions);
  for (const run of state.runs) wakeDelayed(run, now);
  dropUnqueued(state);
  publishReady(state, now, instructions);
  removeComplete(state, instructions);
  return instructions;
}

/** Milliseconds that a task of this function is expected to take; 1 when nothing is known. */
export function expectedMs(state: DispatchState, functionName: string): number {
  return Math.max(0.001, state.durations.get(functionName)?.meanMs ?? 1);
}

/**
 * Asserts every invariant of the state.
 *
 * @throws JugqError `BUG`
 */
export function validate(state: DispatchState): void {
  const queued = new Map<string, number>();
  for (const [id, entry] of state.ledger) {
    queued.set(entry.queue, (queued.get(entry.queue) ?? 0) + 1);
    for (const run of state.runs) {
      const task = run.index.find(id);
      invariant(
        task === -1 || holds(run, task, fact.queued),
        `${id} is in the ledger, run ${run.id} does not know`,
      );
    }
  }
  for (const [queue, count] of state.queued) {
    invariant((queued.get(queue) ?? 0) === count, `the count of queue ${queue} is off`);
  }
  for (const run of state.runs) {
    for (let task = 0; task < run.plan.graph.count; task++) {
      if (!holds(run, task, fact.queued)) continue;
      const id = idOf(run.plan.graph, task);
      invariant(state.ledger.has(id), `run ${run.id} believes ${id} queued, the ledger does not`);
    }
    validateRun(run);
  }
}

function take(state: DispatchState, event: DispatchEvent, now: number, out: Instruction[]): void {
  switch (event.kind) {
    case 'run-added':
      return addRun(state, event.run, out);
    case 'run-removed':
      return removeRun(state, event.run, out);
    case 'result':
      return takeResult(state, event, out);
    case 'failure':
      return takeFailure(state, event.id, event.failure, out);
    case 'refused':
      state.heldUntil = now + refusedPauseMs;
      return event.tasks.forEach((id) => {
        leaveLedger(state, id);
      });
    case 'found':
      for (const id of event.tasks) {
        enterLedger(state, id, {
          head: event.head,
          queue: event.queue,
          code: event.code,
          since: now,
        });
      }
      return;
    case 'swept':
      return sweep(state, event.heads, event.readAt, out);
    case 'absent':
      for (const id of event.tasks) {
        const entry = state.ledger.get(id);
        if (entry !== undefined && entry.since < event.readAt) leaveLedger(state, id);
      }
      return;
    case 'withdrawn':
      return leaveLedgerByHead(state, event.head);
    case 'threads':
      state.threads = event.threads;
      return;
    case 'tick':
      return;
  }
}

/** The server had no room for a message: long enough not to hammer it, short enough not to be noticed. */
const refusedPauseMs = 1000;

function addRun(state: DispatchState, run: RunProgress, out: Instruction[]): void {
  const older = state.runs.findIndex((each) => each.id > run.id);
  state.runs.splice(older === -1 ? state.runs.length : older, 0, run);
  const outdated = new Set<TaskId>();
  for (const [id, entry] of state.ledger) {
    const task = run.index.find(id);
    if (task === -1) continue;
    setFact(run, task, fact.queued, true);
    if (newestWith(state, run, task).run.plan.code !== entry.code) outdated.add(entry.head);
  }
  for (const head of outdated) out.push({ kind: 'withdraw', head });
}

function removeRun(state: DispatchState, id: RunId, out: Instruction[]): void {
  const at = state.runs.findIndex((each) => each.id === id);
  if (at === -1) return;
  state.runs.splice(at, 1);
  const heads = new Map<TaskId, boolean>();
  for (const [task, entry] of state.ledger) {
    heads.set(
      entry.head,
      (heads.get(entry.head) ?? false) || state.runs.some((run) => run.index.find(task) !== -1),
    );
  }
  for (const [head, stillNeeded] of heads) if (!stillNeeded) out.push({ kind: 'withdraw', head });
}

function takeResult(
  state: DispatchState,
  event: DispatchEvent & { kind: 'result' },
  out: Instruction[],
): void {
  const { id, revision, present } = event;
  let known = false;
  let failure = 0;
  for (const run of state.runs) {
    const task = run.index.find(id);
    if (task === -1 || revision <= (run.revision[task] ?? 0)) continue;
    known = true;
    run.revision[task] = revision;
    const record = run.failures.get(task);
    if (record !== undefined && record.kind !== 'none') failure = record.revision;
    setFact(run, task, fact.hasResult, present);
  }
  // Whatever the runs make of it, a task with a result is in the queue no longer, or not for long.
  if (present) leaveLedger(state, id);
  if (!known) return;
  if (present && failure > 0) out.push({ kind: 'clear-failure', id, revision: failure });
  if (present && event.ms !== undefined)
    noteDuration(state, id.slice(0, id.lastIndexOf('.')), event.ms);
  // A parcel that was published before a marker carries a revision that its put will be refused with.
  const entry = state.ledger.get(id);
  if (entry !== undefined) out.push({ kind: 'withdraw', head: entry.head });
}

function takeFailure(
  state: DispatchState,
  id: TaskId,
  failure: KnownFailure,
  out: Instruction[],
): void {
  let stale = false;
  for (const run of state.runs) {
    const task = run.index.find(id);
    if (task === -1 || failure.revision <= (run.failures.get(task)?.revision ?? 0)) continue;
    learnFailure(run, task, failure);
    stale ||= failure.kind !== 'none' && holds(run, task, fact.hasResult);
  }
  if (failure.kind === 'retry' || failure.kind === 'final') leaveLedger(state, id);
  if (stale) out.push({ kind: 'clear-failure', id, revision: failure.revision });
}

function sweep(
  state: DispatchState,
  heads: ReadonlySet<TaskId>,
  readAt: number,
  out: Instruction[],
): void {
  const suspicious: TaskId[] = [];
  for (const [id, entry] of state.ledger) {
    if (entry.since < readAt && !heads.has(entry.head)) suspicious.push(id);
  }
  if (suspicious.length > 0) out.push({ kind: 'verify', tasks: suspicious, readAt });
}

/** A dependency of a queued task was lost: the task waits again, whatever becomes of its message. */
function dropUnqueued(state: DispatchState): void {
  for (const run of state.runs) {
    for (const task of run.unqueued.splice(0)) {
      if (
        holds(run, task, fact.queued) &&
        run.state[task] !== states.queued &&
        run.state[task] !== states.idle
      ) {
        leaveLedger(state, idOf(run.plan.graph, task));
      }
    }
    run.unqueued.length = 0;
  }
}

/**
 * Fills the window of every queue, the runs in turn, in each the longest remaining path first.
 *
 * The window is what all threads get through in two seconds, within bounds: short enough that choosing late pays and
 * that a new dispatcher reads the queue in a moment, long enough that no worker ever waits for us.
 */
function publishReady(state: DispatchState, now: number, out: Instruction[]): void {
  if (now < state.heldUntil) return;
  let published = true;
  while (published) {
    published = false;
    for (const run of state.runs) published = publishOne(state, run, now, out) || published;
  }
}

const windowMs = 2000;
const windowMin = 256;
const windowMax = 8192;

function hasRoom(state: DispatchState, queue: string, functionName: string): boolean {
  // Of a function that nobody knows yet, little is let out: what follows may travel in parcels.
  const byTime = state.durations.has(functionName)
    ? (Math.max(1, state.threads) * windowMs) / expectedMs(state, functionName)
    : windowMin;
  const window = Math.min(windowMax, Math.max(windowMin, byTime));
  return (state.queued.get(queue) ?? 0) < window;
}

function publishOne(
  state: DispatchState,
  run: RunProgress,
  now: number,
  out: Instruction[],
): boolean {
  const fn = bestFunction(state, run);
  if (fn === -1) return false;
  const first = run.ready.pop(fn);
  const owner = newestWith(state, run, first);
  const facts = functionOf(owner.run.plan.graph, owner.task);
  const tasks = [owner.task];
  const size = isRetry(owner.run, owner.task) ? 1 : parcelSize(state, run, fn);
  while (tasks.length < size) {
    const next = firstReady(run, fn);
    if (next === -1) break;
    const theirs = newestWith(state, run, next);
    if (theirs.run !== owner.run || isRetry(theirs.run, theirs.task)) break;
    run.ready.pop(fn);
    tasks.push(theirs.task);
    enterQueue(state, theirs, now, { head: owner, queue: facts.queue });
  }
  enterQueue(state, owner, now, { head: owner, queue: facts.queue });
  const head = idOf(owner.run.plan.graph, owner.task);
  out.push({ kind: 'publish', run: owner.run, tasks, head, quick: isQuick(state, facts.name) });
  return true;
}

interface Placed {
  readonly run: RunProgress;
  readonly task: number;
}

function enterQueue(
  state: DispatchState,
  placed: Placed,
  now: number,
  message: { head: Placed; queue: string },
): void {
  enterLedger(state, idOf(placed.run.plan.graph, placed.task), {
    head: idOf(message.head.run.plan.graph, message.head.task),
    queue: message.queue,
    code: placed.run.plan.code,
    since: now,
  });
}

/** The function whose first ready task goes first, among those whose queue has room; -1: nothing to publish. */
function bestFunction(state: DispatchState, run: RunProgress): number {
  let best = -1;
  let bestTask = -1;
  run.plan.graph.functions.forEach((facts, fn) => {
    const task = firstReady(run, fn);
    if (task === -1 || !hasRoom(state, facts.queue, facts.name)) return;
    if (bestTask !== -1 && !run.ready.before(task, bestTask)) return;
    best = fn;
    bestTask = task;
  });
  return best;
}

/** The heap may hold tasks that are no longer ready: they fall off here. */
function firstReady(run: RunProgress, fn: number): number {
  for (;;) {
    const task = run.ready.peek(fn);
    if (task === -1 || run.state[task] === states.ready) return task;
    run.ready.pop(fn);
  }
}

/**
 * How many tasks of a function travel together: about ten milliseconds of work, and no more than leaves every thread
 * several parcels to share. A function that is not yet known travels alone.
 */
function parcelSize(state: DispatchState, run: RunProgress, fn: number): number {
  const facts = run.plan.graph.functions[fn];
  const duration = facts && state.durations.get(facts.name);
  if (duration === undefined || duration.seen < knownAfter) return 1;
  const byTime = Math.floor(parcelMs / Math.max(duration.meanMs, parcelMs / parcelTasksMax));
  const fair = Math.ceil(countIn(run, states.ready) / (4 * Math.max(1, state.threads)));
  return Math.max(1, Math.min(byTime, fair));
}

const parcelMs = 10;
const parcelTasksMax = 100;
const knownAfter = 8;
const quickMs = 20;

function isQuick(state: DispatchState, functionName: string): boolean {
  const duration = state.durations.get(functionName);
  return duration !== undefined && duration.seen >= knownAfter && duration.meanMs < quickMs;
}

function isRetry(run: RunProgress, task: number): boolean {
  const failure = run.failures.get(task);
  return failure !== undefined && failure.kind !== 'none';
}

/** A task runs with the code of the newest active run that declares it. */
function newestWith(state: DispatchState, run: RunProgress, task: number): Placed {
  for (let at = state.runs.length - 1; at >= 0; at--) {
    const newer = state.runs[at];
    if (newer === undefined || newer === run) break;
    const theirs = newer.index.findHash(hashText(run.plan.graph, task));
    if (theirs !== -1) return { run: newer, task: theirs };
  }
  return { run, task };
}

function enterLedger(state: DispatchState, id: TaskId, entry: LedgerEntry): void {
  if (state.ledger.has(id)) leaveLedger(state, id);
  state.ledger.set(id, entry);
  state.queued.set(entry.queue, (state.queued.get(entry.queue) ?? 0) + 1);
  setQueued(state, id, true);
}

function leaveLedger(state: DispatchState, id: TaskId): void {
  const entry = state.ledger.get(id);
  if (entry === undefined) return;
  state.ledger.delete(id);
  state.queued.set(entry.queue, (state.queued.get(entry.queue) ?? 0) - 1);
  setQueued(state, id, false);
}

function leaveLedgerByHead(state: DispatchState, head: TaskId): void {
  for (const [id, entry] of state.ledger) if (entry.head === head) leaveLedger(state, id);
}

function setQueued(state: DispatchState, id: TaskId, value: boolean): void {
  for (const run of state.runs) {
    const task = run.index.find(id);
    if (task !== -1) setFact(run, task, fact.queued, value);
  }
}

function noteDuration(state: DispatchState, functionName: string, ms: number): void {
  const known = state.durations.get(functionName) ?? { seen: 0, meanMs: ms };
  const weight = Math.max(1 / (known.seen + 1), 0.05);
  state.durations.set(functionName, {
    seen: known.seen + 1,
    meanMs: known.meanMs + weight * (ms - known.meanMs),
  });
}

function removeComplete(state: DispatchState, out: Instruction[]): void {
  for (const run of state.runs.filter(isComplete)) {
    state.runs.splice(state.runs.indexOf(run), 1);
    const failed = countIn(run, states.failed) > 0;
    out.push({ kind: 'complete', run, outcome: failed ? 'failed' : 'finished' });
  }
}

/** The parcel task facts of one task of a `publish` instruction, as they stand now. */
export function parcelFacts(
  run: RunProgress,
  task: number,
): {
  expects: number;
  failureExpects: number;
  attempt: number;
  inputs: { id: TaskId; revision: number }[];
} {
  const failure = run.failures.get(task);
  const { graph } = run.plan;
  return {
    expects: run.revision[task] ?? 0,
    failureExpects: failure?.revision ?? 0,
    attempt: nextAttempt(failure),
    inputs: Array.from(row(graph.dependencies, task), (dependency) => ({
      id: idOf(graph, dependency),
      revision: run.revision[dependency] ?? 0,
    })),
  };
}

function nextAttempt(failure: KnownFailure | undefined): number {
  if (failure?.kind === 'retry') return failure.attempt + 1;
  return failure?.kind === 'strike' ? failure.attempt : 1;
}
