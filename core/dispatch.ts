/**
 * The dispatcher, decided: which task is published when. It does no I/O and reads no clock.
 *
 * `apply` takes what was seen and returns what to do. The ledger holds what is believed to be in the queue; belief is
 * checked by sweeps, never trusted for ever:
 *
 *                      ┌── found (read from the queue, published by somebody else)
 *                      ▼
 *     ready ──publish──► in the ledger ──result or failure seen, withdrawn──► out
 *       ▲                   │      ▲
 *       │          (sweep: not in  │
 *       │           the queue)     │ (it has one: that is told)
 *       │                   ▼      │
 *       └── absent ◄────── verify ─┘
 *
 * A message that must not be executed as it is (older code than the newest plan's, published before a marker, an input
 * lost) is withdrawn; its tasks stay in the ledger until that is done.
 */
import {
  type DispatchEvent,
  type DispatchState,
  type Instruction,
  type MessagePlace,
  type Placed,
} from './dispatch-state.ts';
import { noteDuration } from './durations.ts';
import { idOf } from './graph.ts';
import { functionNameOf, type RunId, type TaskId } from './identifiers.ts';
import { invariant } from './errors.ts';
import {
  enterLedger,
  leaveFollowers,
  leaveLedger,
  leaveParcel,
  messageKey,
  parcelAt,
  validateLedger,
} from './ledger.ts';
import { publishReady } from './publish-ready.ts';
import type { Pattern } from './patterns.ts';
import { cancelMatching } from './cancel-tasks.ts';
import { wakeDelayed } from './delayed-retries.ts';
import { dropUnneeded } from './drop-results.ts';
import { conclusion } from './run-outlook.ts';
import {
  countIn,
  fact,
  holds,
  isOvertaken,
  learnFailure,
  learnResult,
  setFact,
  state as states,
  type KnownFailure,
  type RunProgress,
} from './run-progress.ts';
import { validateRun } from './validate-run.ts';
import {
  giveOrders,
  withdraw,
  withdrawStale,
  withdrawUnqueued,
  withdrawUseless,
  type Decided,
} from './withdrawals.ts';

export {
  startDispatch,
  type DispatchEvent,
  type DispatchState,
  type Instruction,
  type MessagePlace,
  type Recall,
} from './dispatch-state.ts';
export { expectedMs, isKnown, noteDuration } from './durations.ts';
export { parcelTask } from './publish-ready.ts';

/**
 * Takes in what was seen and decides what to do next.
 *
 * @param now - epoch ms, never less than in an earlier call
 */
export function apply(
  state: DispatchState,
  events: readonly DispatchEvent[],
  now: number,
): Instruction[] {
  const decided: Decided = { instructions: [], withdraw: new Map() };
  const out = decided.instructions;
  for (const event of events) take(state, event, now, decided);
  for (const run of state.runs) wakeDelayed(run, now);
  withdrawUnqueued(state, decided);
  // Only when all runs of a batch are known does it show which of them is the newest.
  if (events.some((event) => unsettling.has(event.kind))) withdrawStale(state, decided);
  giveOrders(state, decided);
  publishReady(state, now, out);
  dropUnneeded(state, out);
  if (conclude(state, out)) {
    withdrawUseless(state, Infinity, 'idle', decided);
    giveOrders(state, decided);
  }
  return out;
}

/** After these a message may be wrong that was right before. */
const unsettling: ReadonlySet<DispatchEvent['kind']> = new Set(['run-added', 'found']);

/**
 * Asserts every invariant of the state.
 *
 * @throws JugqError `BUG`
 */
export function validate(state: DispatchState): void {
  validateLedger(state);
  for (const run of state.runs) validateRun(run);
  for (const run of state.runs) {
    for (const other of state.runs) if (other.id < run.id) validateAgreement(run, other);
  }
}

/** What one run makes of a task is nothing to another. */
const ownFacts = fact.wanted | fact.cancelled | fact.passing | fact.open;

function validateAgreement(run: RunProgress, other: RunProgress): void {
  forShared(run, other, (task, theirs) => {
    const agree =
      run.revision[task] === other.revision[theirs] &&
      (run.failures.get(task)?.revision ?? 0) === (other.failures.get(theirs)?.revision ?? 0) &&
      (((run.facts[task] ?? 0) ^ (other.facts[theirs] ?? 0)) & ~ownFacts) === 0;
    const id = idOf(run.plan.graph, task);
    invariant(agree, `runs ${run.id} and ${other.id} know different things of ${id}`);
  });
}

function take(state: DispatchState, event: DispatchEvent, now: number, decided: Decided): void {
  switch (event.kind) {
    case 'run-added':
      addRun(state, event.run, decided);
      break;
    case 'run-removed':
      removeRun(state, event.run);
      withdrawUseless(state, Infinity, event.recall, decided);
      break;
    case 'tasks-cancelled':
      cancelTasks(state, event.run, event.patterns, decided);
      break;
    case 'run-paused':
      pauseRun(state, event.run, event.paused, decided);
      break;
    case 'result':
      takeResult(state, event, decided);
      break;
    case 'failure':
      takeFailure(state, event.id, event.failure, decided);
      break;
    case 'refused':
      state.heldUntil = now + refusedPauseMs;
      for (const id of event.tasks) leaveLedger(state, id);
      break;
    case 'found':
      takeFound(state, event, now);
      break;
    case 'swept':
      sweep(state, event.messages, event.readAt, decided);
      break;
    case 'absent':
      takeAbsent(state, event.tasks, event.readAt);
      break;
    case 'withdrawn':
      leaveParcel(state, event);
      break;
    case 'taken-apart':
      for (const id of parcelAt(state, event)) suspect(state, functionNameOf(id));
      break;
    case 'threads':
      state.threads = event.threads;
      break;
    case 'tick':
      break;
  }
}

/** The server had no room for a message: long enough not to hammer it, short enough not to be noticed. */
const refusedPauseMs = 1000;

function addRun(state: DispatchState, run: RunProgress, { instructions }: Decided): void {
  // Planned on: the same run with more tasks. What is queued for it stays.
  removeRun(state, run.id);
  for (const other of state.runs) share(run, other);
  const older = state.runs.findIndex((each) => each.id > run.id);
  state.runs.splice(older === -1 ? state.runs.length : older, 0, run);
  for (const id of state.ledger.entries.keys()) {
    const task = run.index.find(id);
    if (task !== -1) setFact(run, task, fact.queued, true);
  }
  for (const [task, { revision }] of run.failures) {
    if (!isOvertaken(run, task)) continue;
    instructions.push({ kind: 'clear-failure', id: idOf(run.plan.graph, task), revision });
  }
}

/** Two runs that declare one task learn from each other: the later word on it counts for both. */
function share(run: RunProgress, other: RunProgress): void {
  const noFailures = run.failures.size + other.failures.size === 0;
  forShared(run, other, (task, theirs) => {
    // Nearly always, and there may be a million of them.
    if (noFailures && run.revision[task] === other.revision[theirs]) return;
    teach(run, task, other, theirs);
    teach(other, theirs, run, task);
  });
}

function teach(run: RunProgress, task: number, other: RunProgress, theirs: number): void {
  const revision = run.revision[task] ?? 0;
  if (revision > (other.revision[theirs] ?? 0)) {
    learnResult(other, { task: theirs, revision, present: holds(run, task, fact.hasResult) });
  }
  const failure = run.failures.get(task);
  if (failure !== undefined && failure.revision > (other.failures.get(theirs)?.revision ?? 0)) {
    learnFailure(other, theirs, failure);
  }
}

function forShared(
  run: RunProgress,
  other: RunProgress,
  visit: (task: number, theirs: number) => void,
): void {
  for (let task = 0; task < run.plan.graph.count; task++) {
    const theirs = other.index.findIn(run.plan.graph, task);
    if (theirs !== -1) visit(task, theirs);
  }
}

function removeRun(state: DispatchState, id: RunId): void {
  const at = state.runs.findIndex((each) => each.id === id);
  if (at !== -1) state.runs.splice(at, 1);
}

function takeResult(
  state: DispatchState,
  event: DispatchEvent & { kind: 'result' },
  decided: Decided,
): void {
  const { id, revision, present } = event;
  let failure: KnownFailure | undefined;
  let isNews = false;
  let place: Placed | undefined;
  for (const run of state.runs) {
    const task = run.index.find(id);
    if (task === -1) continue;
    place = { run, task };
    const known = run.revision[task] ?? 0;
    // Late: all runs that declare the task know more already.
    if (known > revision) return;
    if (known === revision) continue;
    isNews = true;
    learnResult(run, { task, revision, present });
    if (isOvertaken(run, task)) failure = run.failures.get(task);
  }
  // Whatever the runs make of it, a task with a result is in the queue no longer, or not for long.
  if (present) leaveLedger(state, id, place);
  if (!isNews) return;
  if (failure !== undefined) {
    decided.instructions.push({ kind: 'clear-failure', id, revision: failure.revision });
  }
  if (present && event.ms !== undefined) {
    const functionName = functionNameOf(id);
    noteDuration(state, 'finished', functionName, event.ms);
    if (state.struck.size > 0) acquit(state, functionName);
  }
  const entry = state.ledger.entries.get(id);
  if (entry !== undefined && entry.expects !== revision) withdraw(decided, entry);
}

function takeFailure(
  state: DispatchState,
  id: TaskId,
  failure: KnownFailure,
  decided: Decided,
): void {
  let overtaken = false;
  let isNews = false;
  for (const run of state.runs) {
    const task = run.index.find(id);
    if (task === -1) continue;
    const known = run.failures.get(task)?.revision ?? 0;
    if (known > failure.revision) return;
    if (known === failure.revision) continue;
    isNews = true;
    learnFailure(run, task, failure);
    overtaken ||= isOvertaken(run, task);
  }
  const functionName = functionNameOf(id);
  if (failure.kind === 'strike') suspect(state, functionName);
  if (failure.kind === 'retry' || failure.kind === 'final') {
    leaveFollowers(state, id);
    leaveLedger(state, id);
  }
  if (isNews && failure.ms !== undefined) noteDuration(state, 'failed', functionName, failure.ms);
  if (overtaken) {
    decided.instructions.push({ kind: 'clear-failure', id, revision: failure.revision });
  }
}

function takeFound(
  state: DispatchState,
  event: DispatchEvent & { kind: 'found' },
  now: number,
): void {
  const { head, queue, code, tasks } = event;
  // What else was believed to be in that message is not.
  leaveParcel(state, event, new Set(tasks.map((each) => each.id)));
  const key = messageKey(event);
  for (const { id, expects } of tasks) {
    enterLedger(state, id, { head, queue, key, code, expects, since: now });
  }
}

/** A task of the function may have killed its worker: a few others have to finish before it is trusted again. */
function suspect({ struck }: DispatchState, functionName: string): void {
  struck.set(functionName, trustedAfter);
}

function acquit({ struck }: DispatchState, functionName: string): void {
  const left = struck.get(functionName);
  if (left === undefined) return;
  if (left > 1) struck.set(functionName, left - 1);
  else struck.delete(functionName);
}

const trustedAfter = 200;

/** What is believed queued and is not there becomes suspicious; what is there and nobody here knows is looked at. */
function sweep(
  state: DispatchState,
  messages: readonly MessagePlace[],
  readAt: number,
  decided: Decided,
): void {
  const { instructions } = decided;
  const there = new Set(messages.map(messageKey));
  const tasks: TaskId[] = [];
  for (const [id, entry] of state.ledger.entries) {
    if (entry.since < readAt && !there.has(entry.key)) tasks.push(id);
  }
  if (tasks.length > 0) instructions.push({ kind: 'verify', tasks, readAt });
  const strange = messages.filter((each) => !state.ledger.parcels.has(messageKey(each)));
  if (strange.length > 0) instructions.push({ kind: 'inspect', messages: strange });
  withdrawUseless(state, readAt, 'idle', decided);
}

/** What has been published anew since is left alone. */
function takeAbsent(state: DispatchState, tasks: readonly TaskId[], readAt: number): void {
  for (const id of tasks) {
    const entry = state.ledger.entries.get(id);
    if (entry !== undefined && entry.since < readAt) leaveLedger(state, id);
  }
}

/** What is finished stays; what runs for no other run is ended. */
function cancelTasks(
  state: DispatchState,
  id: RunId,
  patterns: readonly Pattern[],
  decided: Decided,
): void {
  const run = state.runs.find((each) => each.id === id);
  if (run === undefined) return;
  cancelMatching(run, patterns);
  withdrawUseless(state, Infinity, 'all', decided);
}

/** What is queued for a paused run alone is taken back; what is wanted again is ready as it was. */
function pauseRun(state: DispatchState, id: RunId, paused: boolean, decided: Decided): void {
  const run = state.runs.find((each) => each.id === id);
  if (run === undefined) return;
  run.paused = paused;
  if (paused) withdrawUseless(state, Infinity, 'idle', decided);
}

/** @returns whether a run was ended before all of its tasks were */
function conclude(state: DispatchState, out: Instruction[]): boolean {
  let early = false;
  for (const run of [...state.runs]) {
    const outcome = conclusion(run);
    if (outcome === undefined) continue;
    if (outcome !== 'plan-on') {
      early ||= countIn(run, states.queued) > 0;
      removeRun(state, run.id);
      out.push({ kind: 'complete', run, outcome });
    } else if (!run.awake) {
      run.awake = true;
      out.push({ kind: 'plan-on', run });
    }
  }
  return early;
}
