/** What is on the simulated server, in the words of the state machine, and the other way. */
import { parcelTask, type DispatchEvent } from '../../../core/dispatch.ts';
import { idOf } from '../../../core/graph.ts';
import type { TaskId } from '../../../core/identifiers.ts';
import type { Parcel } from '../../../core/parcel.ts';
import type { ResultNews } from '../../../core/heard-results.ts';
import type { KnownFailure, RunProgress } from '../../../core/run-progress.ts';
import type { SimulatedEntry } from './bucket.ts';
import type { SimulatedFailure, SimulatedResult } from './world.ts';

/** The message that a `publish` instruction asks for. */
export function parcelOf(run: RunProgress, tasks: readonly number[], quick: boolean): Parcel {
  const { graph, code } = run.plan;
  return {
    run: run.id,
    code,
    quick,
    failFast: false,
    taken: false,
    tasks: tasks.map((task) => ({
      ...parcelTask(run, task),
      id: idOf(graph, task),
      arguments: new Uint8Array(),
    })),
  };
}

/** A result or marker, as news. */
export function newsOf(entry: SimulatedEntry<SimulatedResult>): ResultNews {
  const { key, revision, value } = entry;
  return { id: key as TaskId, revision, present: value !== undefined, ms: value?.ms };
}

/** News, as the dispatcher is told of them. */
export function resultEvent({ id, revision, present, ms }: ResultNews): DispatchEvent {
  return { kind: 'result', id, revision, present, ms };
}

/** A failure record or its deletion, as the dispatcher is told of it. */
export function knownFailure({ revision, value }: SimulatedEntry<SimulatedFailure>): KnownFailure {
  if (value === undefined) return { revision, kind: 'none', attempt: 0, dueAt: 0, expects: 0 };
  const { kind, attempt, dueAt, expects } = value;
  return { revision, kind, attempt, expects, dueAt: dueAt ?? 0 };
}
