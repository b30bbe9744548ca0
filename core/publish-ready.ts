/** Which ready tasks are published now, and how they are put into parcels. */
import { expectedMs, isKnown, isProven } from './durations.ts';
import { newestWith, type DispatchState, type Instruction, type Placed } from './dispatch-state.ts';
import { argumentsOf, functionOf, hashBytesOf, idOf, row } from './graph.ts';
import { enterLedger, messageKey, type LedgerEntry } from './ledger.ts';
import type { InputReference, PackedTask } from './parcel.ts';
import {
  countIn,
  standingFailure,
  stateCount,
  state as states,
  type RunProgress,
} from './run-progress.ts';

/**
 * Fills the window of every queue, the runs in turn, in each the longest remaining path first.
 *
 * The window is what all threads get through in two seconds, within bounds: short enough that choosing late pays and
 * that a new dispatcher reads the queue in a moment, long enough that no worker ever waits for us.
 */
export function publishReady(state: DispatchState, now: number, out: Instruction[]): void {
  if (now < state.heldUntil) return;
  state.heldUntil = 0;
  let published = 0;
  let before = -1;
  while (published > before) {
    before = published;
    for (const run of state.runs) {
      if (!run.paused) published += publishOne(state, run, now, out);
    }
    if (published >= atOnce) {
      out.push({ kind: 'go-on' });
      return;
    }
  }
}

/** Tasks: more of them in one go would keep what is decided from the server, and news from us, for a noticeable time. */
const atOnce = 512;

const windowMs = 2000;
const windowMin = 256;
const windowMax = 8192;
/** Of a function that is not known, so many tasks, and more for each thread: enough to keep them busy until it is. */
const unknownMin = 32;
const unknownEach = 8;

/** One task of a `publish` instruction as it travels in a parcel with all its inputs, by what is known of it now. */
export function parcelTask(run: RunProgress, task: number): PackedTask {
  const { graph, spilled } = run.plan;
  const inputs: InputReference[] = [];
  for (const dependency of row(graph.dependencies, task)) {
    inputs.push({ id: idOf(graph, dependency), revision: run.revision[dependency] ?? 0 });
  }
  return {
    hash: hashBytesOf(graph, task),
    expects: run.revision[task] ?? 0,
    failureExpects: run.failures.get(task)?.revision ?? 0,
    attempt: nextAttempt(run, task),
    arguments: spilled.get(task) ?? argumentsOf(graph, task),
    inputs,
  };
}

function nextAttempt(run: RunProgress, task: number): number {
  const failure = standingFailure(run, task);
  if (failure?.kind === 'retry') return failure.attempt + 1;
  return failure?.kind === 'strike' ? failure.attempt : 1;
}

/** @returns how many tasks */
function publishOne(
  state: DispatchState,
  run: RunProgress,
  now: number,
  out: Instruction[],
): number {
  const fn = bestFunction(state, run);
  if (fn === -1) return 0;
  const size = parcelSize(state, run, fn);
  const owner = newestWith(state, { run, task: run.ready.pop(fn) });
  const { graph, code } = owner.run.plan;
  const { name, queue } = functionOf(graph, owner.task);
  const head = idOf(graph, owner.task);
  const expects = owner.run.revision[owner.task] ?? 0;
  const key = messageKey({ queue, head });
  const entry = { head, queue, key, code, since: now, expects };
  enterLedger(state, head, entry, owner);
  const mates = isRetry(owner) ? [] : popMates(state, { run, fn, owner, entry, most: size - 1 });
  const tasks = [owner.task, ...mates];
  out.push({ kind: 'publish', run: owner.run, tasks, head, quick: isQuick(state, name) });
  return tasks.length;
}

/** Takes more ready tasks of the function that may travel in the owner's parcel, and enters them into the ledger. */
function popMates(
  state: DispatchState,
  parcel: { run: RunProgress; fn: number; owner: Placed; entry: LedgerEntry; most: number },
): number[] {
  const { run, fn, owner, entry, most } = parcel;
  const mates: number[] = [];
  let bytes = parcelBytes(owner);
  while (mates.length < most) {
    const task = firstReady(run, fn);
    if (task === -1) break;
    const theirs = newestWith(state, { run, task });
    bytes += parcelBytes(theirs);
    if (theirs.run !== owner.run || isRetry(theirs) || bytes > parcelBytesMax) break;
    run.ready.pop(fn);
    const expects = owner.run.revision[theirs.task] ?? 0;
    const own = expects === entry.expects ? entry : { ...entry, expects };
    enterLedger(state, idOf(run.plan.graph, task), own, theirs);
    mates.push(theirs.task);
  }
  return mates;
}

/** The function whose first ready task goes first, among those whose queue has room; -1: nothing to publish. */
function bestFunction(state: DispatchState, run: RunProgress): number {
  let best = -1;
  let bestTask = -1;
  run.plan.graph.functions.forEach((_, fn) => {
    const task = firstReady(run, fn);
    if (task === -1 || !hasRoom(state, newestWith(state, { run, task }))) return;
    if (bestTask !== -1 && !run.ready.before(task, bestTask)) return;
    best = fn;
    bestTask = task;
  });
  return best;
}

function hasRoom(state: DispatchState, { run, task }: Placed): boolean {
  const { name, queue } = functionOf(run.plan.graph, task);
  const threads = Math.max(1, state.threads);
  const byTime = (threads * windowMs) / expectedMs(state, name);
  const window = Math.min(windowMax, Math.max(windowMin, byTime));
  if ((state.ledger.queued.get(queue) ?? 0) >= window) return false;
  // What is queued of others is no reason to wait: else they would keep this one from ever being known.
  return isKnown(state, name) || queuedOf(run, task) < Math.max(unknownMin, threads * unknownEach);
}

/** How many tasks of a task's function the run has in the queue. */
function queuedOf({ plan, counts }: RunProgress, task: number): number {
  return counts[(plan.graph.functionOf[task] ?? 0) * stateCount + states.queued] ?? 0;
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
 * several parcels to share, unless these would be tiny. A function that is not yet known travels alone.
 */
function parcelSize(state: DispatchState, run: RunProgress, fn: number): number {
  const name = run.plan.graph.functions[fn]?.name ?? '';
  if (!isKnown(state, name)) return 1;
  const byTime = Math.floor(
    parcelMs / Math.max(expectedMs(state, name), parcelMs / parcelTasksMax),
  );
  const fair = Math.ceil(countIn(run, states.ready) / (4 * Math.max(1, state.threads)));
  const worthwhile = Math.ceil(worthwhileMs / expectedMs(state, name));
  const most = isProven(state, name) ? parcelTasksMax : unprovenMax;
  return Math.max(1, Math.min(byTime, Math.max(fair, worthwhile), most));
}

const parcelMs = 10;
/** What a message costs all who handle it: less work than that is not worth sharing. */
const worthwhileMs = 0.5;
const parcelTasksMax = 100;
/** Of a function that has only failed so far: the first of its tasks that do not fail at once share a worker with few. */
const unprovenMax = 16;
/** Far below the megabyte that a server takes as a message unless told otherwise. */
const parcelBytesMax = 256 * 1024;
/** Of one task beside its arguments; of one input beside the name of its function. */
const taskBytes = 64;
const inputBytes = 48;
const quickMs = 20;

function isQuick(state: DispatchState, functionName: string): boolean {
  return isProven(state, functionName) && expectedMs(state, functionName) < quickMs;
}

/** About how much of a message the task takes. */
function parcelBytes({ run, task }: Placed): number {
  const { graph, spilled } = run.plan;
  let bytes = taskBytes;
  if (!spilled.has(task)) bytes += argumentsOf(graph, task).length;
  for (const input of row(graph.dependencies, task)) {
    bytes += inputBytes + functionOf(graph, input).name.length;
  }
  return bytes;
}

/** What failed before travels alone, so that it drags nobody along. */
function isRetry({ run, task }: Placed): boolean {
  return standingFailure(run, task) !== undefined;
}
