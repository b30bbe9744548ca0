/** Which ready tasks are published now. */
import { expectedMs, isKnown } from './durations.ts';
import {
  newestReady,
  type DispatchState,
  type Instruction,
  type Placed,
} from './dispatch-state.ts';
import { fillParcel, firstReady, isQuick, parcelSize } from './fill-parcel.ts';
import { argumentsOf, functionOf, hashBytesOf, idOf, row } from './graph.ts';
import { messageKey } from './ledger.ts';
import type { InputReference, PackedTask } from './parcel.ts';
import {
  fact,
  holds,
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
    // Without a result, it travels in the same parcel, and its key may have a marker.
    const isThere = holds(run, dependency, fact.hasResult);
    const revision = isThere ? (run.revision[dependency] ?? 0) : 0;
    inputs.push({ id: idOf(graph, dependency), revision });
  }
  return {
    hash: hashBytesOf(graph, task),
    fn: functionOf(graph, task),
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
  const owner = newestReady(state, { run, task: run.ready.pop(fn) });
  const { graph, code } = owner.run.plan;
  const { name, queue } = functionOf(graph, owner.task);
  const head = idOf(graph, owner.task);
  const expects = owner.run.revision[owner.task] ?? 0;
  const key = messageKey({ queue, head });
  const entry = { head, queue, key, code, since: now, expects };
  const quick = isQuick(state, name);
  const tasks = fillParcel(state, { owner, entry, quick }, { run, fn, most: size });
  out.push({ kind: 'publish', run: owner.run, tasks, head, quick });
  return tasks.length;
}

/** The function whose first ready task goes first, among those whose queue has room; -1: nothing to publish. */
function bestFunction(state: DispatchState, run: RunProgress): number {
  let best = -1;
  let bestTask = -1;
  run.plan.graph.functions.forEach((_, fn) => {
    const task = firstReady(run, fn);
    if (task === -1 || !hasRoom(state, newestReady(state, { run, task }))) return;
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
