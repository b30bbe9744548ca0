/** How a simulated worker gets at the results that its tasks take. */
import type { TaskId } from '../../../core/identifiers.ts';
import type { InputReference, ParcelTask } from '../../../core/parcel.ts';
import type { SimulatedEntry } from './bucket.ts';
import type { Steps } from './scheduler.ts';
import type { SimulatedResult, World } from './world.ts';

/** A result that is there, or what is known of one that is not. */
export type ReadInput =
  | { readonly kind: 'there'; readonly revision: number; readonly value: number }
  | {
      readonly kind: 'missing';
      readonly id: TaskId;
      readonly revision: number;
      readonly marked: boolean;
    };

/** An input that is there. */
export type Present = ReadInput & { readonly kind: 'there' };

/** How some tasks of a parcel stand by now, as the real worker's `preparation.ts` has it. */
export interface Standings {
  readonly known: readonly TaskId[];
  readonly overtaken: readonly TaskId[];
}

interface Remembered {
  readonly revision: number;
  readonly value: number;
}

export class SimulatedInputs {
  readonly #world: World;
  readonly #cache = new Map<TaskId, Remembered>();

  constructor(world: World) {
    this.#world = world;
  }

  remember(id: TaskId, result: Remembered): void {
    this.#cache.set(id, result);
  }

  /** Revision of the result that is remembered; 0: none. */
  remembered(id: TaskId): number {
    return this.#cache.get(id)?.revision ?? 0;
  }

  /** An input of a task: from memory, from any replica or from the leader. */
  *readFor(task: ParcelTask, reference: InputReference): Steps<ReadInput> {
    const { id, revision } = reference;
    const cached = this.#cache.get(id);
    // An input older than the task's own marker may have been invalidated together with it.
    const { without } = this.#world;
    const isTrusted = revision > task.expects || without === 'memory';
    if (isTrusted && cached?.revision === revision) return { kind: 'there', ...cached };
    const quick = isTrusted ? yield* this.#readFromAny(id) : undefined;
    const isNew =
      quick?.value !== undefined && (quick.revision >= revision || without === 'replica');
    const entry = isNew ? quick : yield* this.#world.ask(() => this.#world.results.get(id));
    if (entry?.value === undefined) {
      return { kind: 'missing', id, revision: entry?.revision ?? 0, marked: entry !== undefined };
    }
    const { value } = entry.value;
    this.#cache.set(id, { revision: entry.revision, value });
    return { kind: 'there', revision: entry.revision, value };
  }

  /** Looks which tasks have a result, and which were marked after their parcel was published. */
  *lookUp(tasks: readonly ParcelTask[]): Steps<Standings> {
    const known: TaskId[] = [];
    const overtaken: TaskId[] = [];
    for (const { id, expects } of tasks) {
      const last = yield* this.#world.ask(() => this.#world.results.get(id));
      if (last?.value !== undefined) known.push(id);
      else if (last !== undefined && last.revision !== expects) overtaken.push(id);
    }
    return { known, overtaken };
  }

  /** A read that any replica answers. */
  *#readFromAny(id: TaskId): Steps<SimulatedEntry<SimulatedResult> | undefined> {
    const { results, weather, random } = this.#world;
    return yield* this.#world.ask(() =>
      this.#world.fault(weather.lateReplica)
        ? results.getAsOf(id, results.lastRevision - random.between(0, 10))
        : results.get(id),
    );
  }
}
