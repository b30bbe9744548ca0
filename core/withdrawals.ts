/**
 * Messages that must not be executed as they are: which ones, and what becomes of them in a worker's hands.
 *
 * A message is wrong when it was made with older code than the newest plan's, or before a marker, or when an input was
 * lost since; and useless when no run has any use for its tasks.
 */
import {
  hasAllInputs,
  type DispatchState,
  type Instruction,
  type MessagePlace,
  type Placed,
  type Recall,
} from './dispatch-state.ts';
import { functionOf, idOf } from './graph.ts';
import type { TaskId } from './identifiers.ts';
import { isFollower, messageKey, parcelAt, type LedgerEntry } from './ledger.ts';
import { fact, holds, state as states } from './run-progress.ts';

/** What one call of `apply` has decided so far. */
export interface Decided {
  readonly instructions: Instruction[];
  /** Messages to be withdrawn, by `messageKey`. */
  readonly withdraw: Map<string, MessagePlace & { readonly recall: Recall }>;
}

/** Orders what has been decided, once. */
export function giveOrders(state: DispatchState, { withdraw, instructions }: Decided): void {
  for (const place of withdraw.values()) {
    // What has left the ledger may be published anew, and must not be withdrawn then.
    if (parcelAt(state, place).length > 0) instructions.push({ kind: 'withdraw', ...place });
  }
  withdraw.clear();
}

/** A dependency of a queued task was lost: the task waits again, and its message would find the dependency missing. */
export function withdrawUnqueued(state: DispatchState, decided: Decided): void {
  for (const run of state.runs) {
    for (const task of run.unqueued.splice(0)) {
      if (!holds(run, task, fact.queued)) continue;
      const entry = state.ledger.entries.get(idOf(run.plan.graph, task));
      if (entry !== undefined && !isRightlyQueued(state, { run, task }, entry))
        withdraw(decided, entry);
    }
  }
}

/** Messages that say something else than the newest plan would, or whose tasks ought not to be queued. */
export function withdrawStale(state: DispatchState, decided: Decided): void {
  for (const [id, entry] of state.ledger.entries) {
    const newest = findNewest(state, id, entry.key);
    if (newest === undefined) continue;
    const { plan } = newest.run;
    if (!isRightlyQueued(state, newest, entry)) withdraw(decided, entry);
    else if (entry.code !== plan.code || entry.queue !== functionOf(plan.graph, newest.task).queue)
      withdraw(decided, entry, isSameFunction(state, id, entry, newest) ? 'idle' : 'none');
  }
}

/** The task as the newest active run has it in which it can run from that message; else as the newest has it. */
function findNewest(state: DispatchState, id: TaskId, key: string): Placed | undefined {
  let newest: Placed | undefined;
  for (let at = state.runs.length - 1; at >= 0; at--) {
    const run = state.runs[at];
    const task = run?.index.find(id) ?? -1;
    if (run === undefined || task === -1) continue;
    const place = { run, task };
    newest ??= place;
    const isFollowing = !holds(run, task, fact.open) && isFollower(state, run, task, key);
    if (hasAllInputs(place) || isFollowing) return place;
  }
  return newest;
}

/** Whether a message's code has the task's function as the newest plan has it: what has begun need not begin again. */
function isSameFunction(
  state: DispatchState,
  id: TaskId,
  { code }: LedgerEntry,
  { run, task }: Placed,
): boolean {
  const { fingerprint } = functionOf(run.plan.graph, task);
  return state.runs.some((each) => {
    const position = each.plan.code === code ? each.index.find(id) : -1;
    return position !== -1 && functionOf(each.plan.graph, position).fingerprint === fingerprint;
  });
}

/**
 * Messages that no run has any use for: of cancelled or paused runs, of what a failure has ended, or of finished tasks in
 * a queue that nobody takes.
 */
export function withdrawUseless(
  state: DispatchState,
  before: number,
  recall: Recall,
  decided: Decided,
): void {
  const useful = new Set<string>();
  for (const [id, entry] of state.ledger.entries) {
    const isUseful = state.runs.some(
      (run) => !run.paused && run.state[run.index.find(id)] === states.queued,
    );
    if (isUseful) useful.add(entry.key);
  }
  for (const entry of state.ledger.entries.values()) {
    if (entry.since < before && !useful.has(entry.key)) withdraw(decided, entry, recall);
  }
}

/**
 * Whether a queued task may be executed as its message says.
 *
 * A finished task's message is on its way out by itself, and one that is not needed or was cancelled harms nobody. One
 * that waits is right if all that it waits for is in the same message. The
 * put of a result that expects another revision than the last is refused, so the execution would be in vain.
 */
function isRightlyQueued(state: DispatchState, { run, task }: Placed, entry: LedgerEntry): boolean {
  const each = run.state[task];
  if (each === states.finished || each === states.idle || each === states.cancelled) return true;
  if (entry.expects !== run.revision[task]) return false;
  return (
    each === states.queued || (each === states.waiting && isFollower(state, run, task, entry.key))
  );
}

/** Decides to withdraw a message; what spares whoever has begun does not soften an order that stands. */
export function withdraw(
  decided: Decided,
  { head, queue }: MessagePlace,
  recall: Recall = 'none',
): void {
  const place = { head, queue, recall };
  const key = messageKey(place);
  if (recall === 'idle' && decided.withdraw.has(key)) return;
  decided.withdraw.set(key, place);
}
