/** What a simulated worker holds. */
import type { TaskId } from '../../../core/identifiers.ts';
import { inputsFromParcel, type Parcel, type ParcelTask } from '../../../core/parcel.ts';
import type { Present } from './inputs.ts';
import type { SimulatedDelivery } from './queue.ts';
import type { Steps } from './scheduler.ts';
import type { SimulatedFailure, World } from './world.ts';

/** How a task ended, see the real worker's `parcel-ends.ts`. */
export type TaskEnd = 'accepted' | 'other' | 'none';

/** A parcel in the hands of a simulated worker. */
export interface Held {
  readonly delivery: SimulatedDelivery;
  readonly parcel: Parcel;
  left: number;
  /** How those of its tasks ended that have. */
  readonly ends: Map<TaskId, TaskEnd>;
  /** Those that were run again: what followed them was given something else. */
  readonly rerun: Set<TaskId>;
  aliveAt: number;
  gone: boolean;
}

/** A task was run; no value: it failed. */
export interface Attempt {
  readonly value: number | undefined;
  readonly ms: number;
  readonly inputs: readonly Present[];
}

/** A parcel that is taken now. */
export function holdNow(delivery: SimulatedDelivery, now: number): Held {
  const { parcel } = delivery.message;
  const left = parcel.tasks.length;
  return { delivery, parcel, left, ends: new Map(), rerun: new Set(), aliveAt: now, gone: false };
}

/** The tasks of its parcel that a task takes. */
export function followedBy({ parcel }: Held, task: ParcelTask): TaskId[] {
  const inside = parcel.tasks.map((each) => each.id);
  return inputsFromParcel(task).flatMap(({ id }) => (inside.includes(id) ? [id] : []));
}

/** Gives a message back with which nobody has begun: takes it out of the queue and publishes it anew. */
export function* handBackAnew(world: World, held: Held): Steps {
  const { message } = held.delivery;
  held.gone = true;
  yield* world.ask(() => {
    world.queue.ack(held.delivery, world.now + world.random.between(1, 20));
  });
  for (let tries = 0; tries < 20; tries++) {
    const outcome = yield* world.send(() => {
      if (world.isFull) return 'full';
      return world.queue.publish(message, message.parcel, world.now) ? 'accepted' : 'occupied';
    });
    world.note?.(message.head, `it is handed back anew: ${outcome}`);
    if (outcome !== 'occupied') return;
    yield 5;
  }
}

/** Whether a record says how this attempt, or a later one, ended; one of before the last marker says nothing. */
export function isConcluded(known: SimulatedFailure, task: ParcelTask): boolean {
  if (known.kind === 'strike' || known.expects < task.expects) return false;
  return known.kind === 'final' || known.attempt >= task.attempt;
}
