/**
 * The ledger: which tasks are believed to be queued, and in which message.
 *
 * A task stands in it once. Whoever enters or leaves a task here also tells it to every run that declares the task, so
 * that the fact `queued` of a run and the ledger never disagree.
 */
import { invariant } from './errors.ts';
import { idOf, row } from './graph.ts';
import type { TaskId } from './identifiers.ts';
import type { DispatchState, MessagePlace, Placed } from './dispatch-state.ts';
import { fact, holds, setFact, state as states, type RunProgress } from './run-progress.ts';

/** A task that is believed to be queued. */
export interface LedgerEntry extends MessagePlace {
  /** `messageKey` of the place: made once a message, not once a task. */
  readonly key: string;
  /** Bundle that the parcel names. */
  readonly code: string;
  /** Revision that the put of its result is going to expect. */
  readonly expects: number;
  /** When it was published, epoch ms of the caller. */
  readonly since: number;
}

export interface Ledger {
  readonly entries: Map<TaskId, LedgerEntry>;
  /** The tasks of each message, by `messageKey`. */
  readonly parcels: Map<string, Set<TaskId>>;
  /** Tasks in the ledger, by queue. */
  readonly queued: Map<string, number>;
}

/** Nothing is queued. */
export function startLedger(): Ledger {
  return { entries: new Map(), parcels: new Map(), queued: new Map() };
}

/** One text for a message's place; neither queues nor ids have spaces. */
export function messageKey({ queue, head }: MessagePlace): string {
  return `${queue} ${head}`;
}

/**
 * The task is queued, there; if another message was believed to hold it, that is forgotten.
 *
 * @param known - the task in one of the runs, which saves looking for it there
 */
export function enterLedger(
  state: DispatchState,
  id: TaskId,
  entry: LedgerEntry,
  known?: Placed,
): void {
  const { ledger } = state;
  if (ledger.entries.has(id)) leaveLedger(state, id);
  ledger.entries.set(id, entry);
  ledger.queued.set(entry.queue, (ledger.queued.get(entry.queue) ?? 0) + 1);
  const parcel = ledger.parcels.get(entry.key);
  if (parcel === undefined) ledger.parcels.set(entry.key, new Set([id]));
  else parcel.add(id);
  setQueued(state, id, true, known);
}

/**
 * The task is not queued, or will soon not be.
 *
 * @param known - as of `enterLedger`
 */
export function leaveLedger(state: DispatchState, id: TaskId, known?: Placed): void {
  const { ledger } = state;
  const entry = ledger.entries.get(id);
  if (entry === undefined) return;
  ledger.entries.delete(id);
  ledger.queued.set(entry.queue, (ledger.queued.get(entry.queue) ?? 0) - 1);
  const parcel = ledger.parcels.get(entry.key);
  parcel?.delete(id);
  if (parcel?.size === 0) ledger.parcels.delete(entry.key);
  setQueued(state, id, false, known);
}

/** A task has no result for those that follow it in its message: no worker runs them from there. */
export function leaveFollowers(state: DispatchState, id: TaskId): void {
  const { entries, parcels } = state.ledger;
  const mates = parcels.get(entries.get(id)?.key ?? '');
  if (mates === undefined || mates.size === 1) return;
  for (const run of state.runs) {
    const task = run.index.find(id);
    if (task === -1) continue;
    // The parcel has a hundred tasks at most; a task may have a million dependents.
    for (const mate of [...mates]) {
      const position = run.index.find(mate);
      const takes = position !== -1 && row(run.plan.graph.dependencies, position).includes(task);
      if (!takes || !entries.has(mate)) continue;
      leaveFollowers(state, mate);
      leaveLedger(state, mate);
    }
  }
}

/** Whether a task that waits is queued together with all that it waits for. */
export function isFollower(
  { ledger }: Pick<DispatchState, 'ledger'>,
  run: RunProgress,
  task: number,
  key: string,
): boolean {
  const { graph } = run.plan;
  return row(graph.dependencies, task).every(
    (each) =>
      run.state[each] === states.finished || ledger.entries.get(idOf(graph, each))?.key === key,
  );
}

/** None of the message's tasks is queued, except those of `but`. */
export function leaveParcel(
  state: DispatchState,
  place: MessagePlace,
  but: ReadonlySet<TaskId> = new Set(),
): void {
  for (const id of parcelAt(state, place)) if (!but.has(id)) leaveLedger(state, id);
}

/** The tasks that are believed to be in a message. */
export function parcelAt(state: DispatchState, place: MessagePlace): TaskId[] {
  return [...(state.ledger.parcels.get(messageKey(place)) ?? [])];
}

/**
 * Asserts that the ledger is consistent in itself and with the runs.
 *
 * @throws JugqError `BUG`
 */
export function validateLedger(state: DispatchState): void {
  const { entries, parcels, queued } = state.ledger;
  const counted = new Map<string, number>();
  for (const [id, entry] of entries) {
    counted.set(entry.queue, (counted.get(entry.queue) ?? 0) + 1);
    invariant(parcels.get(entry.key)?.has(id), `${id} is in no parcel of the ledger`);
    for (const run of state.runs) {
      const task = run.index.find(id);
      const known = task === -1 || holds(run, task, fact.queued);
      invariant(known, `${id} is in the ledger, run ${run.id} does not know`);
    }
  }
  for (const [queue, count] of queued) {
    invariant((counted.get(queue) ?? 0) === count, `the count of queue ${queue} is off`);
  }
  let inParcels = 0;
  for (const parcel of parcels.values()) inParcels += parcel.size;
  invariant(inParcels === entries.size, 'a parcel of the ledger has a task that is not in it');
  for (const run of state.runs) {
    for (let task = 0; task < run.plan.graph.count; task++) {
      if (!holds(run, task, fact.queued)) continue;
      const id = idOf(run.plan.graph, task);
      invariant(entries.has(id), `run ${run.id} believes ${id} queued, the ledger does not`);
    }
  }
}

function setQueued(state: DispatchState, id: TaskId, value: boolean, known?: Placed): void {
  for (const run of state.runs) {
    const task = run === known?.run ? known.task : run.index.find(id);
    if (task !== -1) setFact(run, task, fact.queued, value);
  }
}
