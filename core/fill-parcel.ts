/**
 * Which tasks travel in one message: ready ones of a function that is known to be quick (the head and its mates), and
 * behind them tasks that wait for nothing but tasks before them in the same message (followers).
 */
import { takesUnread } from './codec.ts';
import { newestReady, newestWith, type DispatchState, type Placed } from './dispatch-state.ts';
import { expectedMs, isKnown, isProven } from './durations.ts';
import { argumentsLength, argumentsOf, functionOf, idOf, row } from './graph.ts';
import { enterLedger, type LedgerEntry } from './ledger.ts';
import {
  countIn,
  fact,
  holds,
  standingFailure,
  state as states,
  type RunProgress,
} from './run-progress.ts';

/** What begins a parcel. */
interface Head {
  readonly owner: Placed;
  /** The owner's in the ledger. */
  readonly entry: LedgerEntry;
  /** The owner's function is known to be quick. */
  readonly quick: boolean;
}

/** A parcel that is being filled. */
interface OpenParcel extends Head {
  /** Positions in the graph of the owner's run. */
  readonly tasks: number[];
  bytes: number;
}

/**
 * Fills a parcel and enters its tasks into the ledger.
 *
 * @param from - where more ready tasks come from: those of one function in one run, and how `most` the parcel takes
 * @returns positions in the graph of the owner's run, dependencies first
 */
export function fillParcel(
  state: DispatchState,
  head: Head,
  from: { readonly run: RunProgress; readonly fn: number; readonly most: number },
): number[] {
  const parcel: OpenParcel = { ...head, tasks: [], bytes: 0 };
  enterParcel(state, parcel, head.owner);
  // What failed before travels alone, so that it drags nobody along.
  if (isRetry(head.owner)) return parcel.tasks;
  takeMates(state, parcel, from);
  if (head.quick) takeFollowers(state, parcel);
  return parcel.tasks;
}

/** Takes more ready tasks of the function that may travel in the owner's parcel. */
function takeMates(
  state: DispatchState,
  parcel: OpenParcel,
  from: { readonly run: RunProgress; readonly fn: number; readonly most: number },
): void {
  const { owner, tasks } = parcel;
  const { run, fn, most } = from;
  while (tasks.length < most) {
    const task = firstReady(run, fn);
    if (task === -1) break;
    const theirs = newestReady(state, { run, task });
    if (theirs.run !== owner.run || isRetry(theirs) || !fits(parcel, theirs)) break;
    run.ready.pop(fn);
    enterParcel(state, parcel, theirs);
  }
}

/**
 * Takes tasks that only wait for others in the parcel: they need no message of their own, and no word from us.
 *
 * Level by level. What runs one after the other there might run side by side elsewhere: so of each level only as much is
 * taken as a hop through the queue would cost, but always one.
 */
function takeFollowers(state: DispatchState, parcel: OpenParcel): void {
  const { owner, tasks } = parcel;
  if (owner.run.failFast || !mayLead(state, owner)) return;
  let leftMs = parcelMs;
  for (const task of tasks) leftMs -= expectedOf(state, owner.run, task);
  const inside = new Map<number, number>();
  for (let level = [...tasks]; level.length > 0;) {
    const next: number[] = [];
    let besideMs = 0;
    for (const task of level) {
      const dependents = row(owner.run.dependents, task);
      if (dependents.length > dependentsMax) continue;
      for (const dependent of dependents) {
        if (tasks.length >= parcelTasksMax || leftMs <= 0) return;
        const waits = (inside.get(dependent) ?? 0) + 1;
        inside.set(dependent, waits);
        if (waits < (owner.run.missing[dependent] ?? 0)) continue;
        const ms = expectedOf(state, owner.run, dependent);
        if (next.length > 0 && besideMs + ms > hopMs) continue;
        if (!mayFollow(state, parcel, { run: owner.run, task: dependent })) continue;
        enterParcel(state, parcel, { run: owner.run, task: dependent });
        next.push(dependent);
        besideMs += ms;
        leftMs -= ms;
      }
    }
    level = next;
  }
}

/** More of them are not for one thread, and looking at a million would keep the dispatcher from all else. */
const dependentsMax = 1000;
/** What a task costs that goes through the queue by itself, about. */
const hopMs = 1.5;

function expectedOf(state: DispatchState, run: RunProgress, task: number): number {
  return expectedMs(state, functionOf(run.plan.graph, task).name);
}

/** Others may run in its parcel after it, in the same thread: nothing may come between that ends them with it. */
function mayLead(state: DispatchState, { run, task }: Placed): boolean {
  const { name, timeoutMs } = functionOf(run.plan.graph, task);
  return timeoutMs === undefined && !state.struck.has(name);
}

/** Whether a task whose last dependencies are in the parcel may run as soon as these are done. */
function mayFollow(state: DispatchState, parcel: OpenParcel, follower: Placed): boolean {
  const { owner } = parcel;
  const { run, task } = follower;
  const { graph, spilled } = run.plan;
  if (run.state[task] !== states.waiting || holds(run, task, fact.open | fact.queued)) return false;
  const { name, queue } = functionOf(graph, task);
  if (queue !== parcel.entry.queue || !isQuick(state, name) || !mayLead(state, follower)) {
    return false;
  }
  if (isRetry(follower) || spilled.has(task) || takesUnread(argumentsOf(graph, task))) return false;
  return newestWith(state, follower).run === owner.run && fits(parcel, follower);
}

function fits({ bytes }: OpenParcel, placed: Placed): boolean {
  return bytes + parcelBytes(placed) <= parcelBytesMax;
}

function enterParcel(state: DispatchState, parcel: OpenParcel, placed: Placed): void {
  const { entry, tasks } = parcel;
  const expects = placed.run.revision[placed.task] ?? 0;
  const own = expects === entry.expects ? entry : { ...entry, expects };
  parcel.bytes += parcelBytes(placed);
  tasks.push(placed.task);
  enterLedger(state, idOf(placed.run.plan.graph, placed.task), own, placed);
}

/** The first ready task of a function, or -1. The heap may hold tasks that are no longer ready: they fall off here. */
export function firstReady(run: RunProgress, fn: number): number {
  for (;;) {
    const task = run.ready.peek(fn);
    if (task === -1 || run.state[task] === states.ready) return task;
    run.ready.pop(fn);
  }
}

/**
 * How many tasks of a function travel together: about thirty milliseconds of work, and no more than leaves every thread
 * several parcels to share, unless these would be tiny. A function that is not yet known travels alone.
 */
export function parcelSize(state: DispatchState, run: RunProgress, fn: number): number {
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

const parcelMs = 30;
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

/** Whether tasks of the function were seen to finish in next to no time. */
export function isQuick(state: DispatchState, functionName: string): boolean {
  return isProven(state, functionName) && expectedMs(state, functionName) < quickMs;
}

/** About how much of a message the task takes. */
function parcelBytes({ run, task }: Placed): number {
  const { graph, spilled } = run.plan;
  let bytes = taskBytes;
  if (!spilled.has(task)) bytes += argumentsLength(graph, task);
  for (const input of row(graph.dependencies, task)) {
    bytes += inputBytes + functionOf(graph, input).name.length;
  }
  return bytes;
}

function isRetry({ run, task }: Placed): boolean {
  return standingFailure(run, task) !== undefined;
}
