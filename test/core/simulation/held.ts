/** What a simulated worker holds. */
import type { TaskId } from '../../../core/identifiers.ts';
import { inputsFromParcel, type Parcel, type ParcelTask } from '../../../core/parcel.ts';
import type { SimulatedDelivery } from './queue.ts';

/** How a task ended, see the real worker's `parcel-ends.ts`. */
export type TaskEnd = 'accepted' | 'other' | 'none';

/** A parcel in the hands of a simulated worker. */
export interface Held {
  readonly delivery: SimulatedDelivery;
  readonly parcel: Parcel;
  left: number;
  /** How those of its tasks ended that have. */
  readonly ends: Map<TaskId, TaskEnd>;
  /** What its tasks gave, stored or not. */
  readonly given: Map<TaskId, number>;
  aliveAt: number;
  gone: boolean;
}

/** A parcel that is taken now. */
export function holdNow(delivery: SimulatedDelivery, now: number): Held {
  const { parcel } = delivery.message;
  const left = parcel.tasks.length;
  return { delivery, parcel, left, ends: new Map(), given: new Map(), aliveAt: now, gone: false };
}

/** The tasks of its parcel that a task takes. */
export function followedBy({ parcel }: Held, task: ParcelTask): TaskId[] {
  const inside = parcel.tasks.map((each) => each.id);
  return inputsFromParcel(task).flatMap(({ id }) => (inside.includes(id) ? [id] : []));
}
