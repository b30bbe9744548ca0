/** How the tasks of a parcel ended that others of the same parcel wait for. */
import type { TaskId } from '../core/identifiers.ts';
import { inputsFromParcel, takesFromParcel, type Parcel, type ParcelTask } from '../core/parcel.ts';

/**
 * `accepted`: what followers were given is the task's result; `other`: another result stands; `none`: it has no result,
 * or none that this worker knows of.
 */
export type TaskEnd = 'accepted' | 'other' | 'none';

/** Somebody who waits for several ends, and the worst that came so far. */
interface Waiting {
  left: number;
  worst: TaskEnd;
  readonly act: (worst: TaskEnd) => void;
}

/** From the best to the worst. */
const order: readonly TaskEnd[] = ['accepted', 'other', 'none'];

export class ParcelEnds {
  /** The end of each task of the parcel that another one takes, or who waits for it. */
  readonly #ends = new Map<TaskId, TaskEnd | Waiting[]>();
  readonly #followed = new Map<TaskId, readonly TaskId[]>();
  readonly #rerun = new Set<TaskId>();

  /** Of a parcel that has followers; undefined: it has none. */
  static of(parcel: Parcel): ParcelEnds | undefined {
    // Few parcels have any, and this is asked of each.
    if (!parcel.tasks.some(takesFromParcel)) return undefined;
    const ends = new ParcelEnds(parcel);
    return ends.#followed.size === 0 ? undefined : ends;
  }

  private constructor({ tasks }: Parcel) {
    const before = new Set<TaskId>();
    for (const task of tasks) {
      const { id } = task;
      const followed = inputsFromParcel(task)
        .map((each) => each.id)
        .filter((each) => before.has(each));
      before.add(id);
      if (followed.length === 0) continue;
      this.#followed.set(id, followed);
      for (const each of followed) this.#ends.set(each, []);
    }
  }

  /** The tasks of the parcel that this one takes; none: it is no follower. */
  followedBy({ id }: Pick<ParcelTask, 'id'>): readonly TaskId[] {
    return this.#followed.get(id) ?? [];
  }

  /** A task is to be run again: those that follow it were given what it gave before. */
  rerun(id: TaskId): void {
    this.#rerun.add(id);
  }

  /** A task has ended; whoever waited for it last acts now. */
  note(id: TaskId, end: TaskEnd): void {
    const known = this.#ends.get(id);
    if (!Array.isArray(known)) return;
    const told = end === 'accepted' && this.#rerun.has(id) ? 'other' : end;
    this.#ends.set(id, told);
    for (const waiting of known) count(waiting, told);
  }

  /** Acts when all that a follower takes has ended, with the worst of the ends; perhaps at once. */
  whenFollowed(task: Pick<ParcelTask, 'id'>, act: (worst: TaskEnd) => void): void {
    const followed = this.followedBy(task);
    const waiting: Waiting = { left: followed.length + 1, worst: 'accepted', act };
    for (const id of followed) {
      const known = this.#ends.get(id) ?? 'none';
      if (Array.isArray(known)) known.push(waiting);
      else count(waiting, known);
    }
    count(waiting, 'accepted');
  }
}

function count(waiting: Waiting, end: TaskEnd): void {
  if (order.indexOf(end) > order.indexOf(waiting.worst)) waiting.worst = end;
  waiting.left--;
  if (waiting.left === 0) waiting.act(waiting.worst);
}
