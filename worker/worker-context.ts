/** What the parts of a worker share. */
import type { ParcelTask } from '../core/parcel.ts';
import type { HeldParcel, HeldParcels } from './held-parcels.ts';
import { storeFailure, type AttemptFailure, type StoreContext } from './store-outcome.ts';

export interface WorkerContext extends StoreContext {
  readonly held: HeldParcels;
  /** Something keeps the worker from working as it should. */
  readonly onTrouble: (reason: string) => void;
}

const retryDelayMs = 2000;

/** Puts a task's failure on record and settles it. */
export async function failTask(
  context: WorkerContext,
  held: HeldParcel,
  task: ParcelTask,
  failure: AttemptFailure,
): Promise<void> {
  const { failFast, run } = held.parcel;
  if (failFast && (failure.final || task.attempt > task.fn.retries)) context.held.endRun(run);
  const mayHaveTwin = context.held.mayHaveTwin(held);
  await storeFailure(context, { task, mayHaveTwin }, failure);
  context.held.settle(held, task.id, 'none');
}

/** Nothing was decided about a parcel: it goes back, and the next worker (or this one) begins again. */
export function handBackLater(context: WorkerContext, held: HeldParcel): void {
  if (!held.gone) context.held.handBack(held, retryDelayMs);
}

/** As `handBackLater`, and says what went wrong. */
export function handBackFailed(context: WorkerContext, held: HeldParcel, error: unknown): void {
  context.onTrouble(error instanceof Error ? error.message : String(error));
  handBackLater(context, held);
}
