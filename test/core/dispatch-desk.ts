/** What the tests of the dispatcher's decisions share. */
import {
  apply,
  parcelTask,
  startDispatch,
  validate,
  type DispatchEvent,
  type DispatchState,
  type Instruction,
} from '../../core/dispatch.ts';
import { idOf } from '../../core/graph.ts';
import type { TaskId } from '../../core/identifiers.ts';
import type { KnownFailure, RunProgress } from '../../core/run-progress.ts';
import {
  idFor,
  planFor,
  runFor,
  type Known,
  type PlanOptions,
  type Sketch,
} from './small-plans.ts';

/** A dispatcher with a clock that the test sets; every step is validated. */
export class Desk {
  readonly state: DispatchState = startDispatch();
  now = 1000;
  #runs = 0;
  #revision = 0;

  tell(...events: DispatchEvent[]): Instruction[] {
    const instructions = apply(this.state, events, this.now);
    validate(this.state);
    if (!instructions.some((each) => each.kind === 'go-on')) return instructions;
    return [...instructions, ...this.tell({ kind: 'tick' })];
  }

  /** A run that is not told yet. */
  run(sketch: Sketch, options?: PlanOptions, known?: Known): RunProgress {
    return runFor(++this.#runs, planFor(sketch, options), known);
  }

  add(sketch: Sketch, options?: PlanOptions, known?: Known): Instruction[] {
    return this.tell({ kind: 'run-added', run: this.run(sketch, options, known) });
  }

  result(name: string, ms?: number): DispatchEvent {
    const id = idFor(name);
    const event = { kind: 'result', id, revision: ++this.#revision, present: true } as const;
    return ms === undefined ? event : { ...event, ms };
  }

  marker(name: string): DispatchEvent {
    return { kind: 'result', id: idFor(name), revision: ++this.#revision, present: false };
  }

  failure(name: string, failure: Partial<KnownFailure>): DispatchEvent {
    const revision = ++this.#revision;
    const whole = {
      revision,
      kind: 'final',
      attempt: 1,
      dueAt: 0,
      expects: 0,
      ...failure,
    } as const;
    return { kind: 'failure', id: idFor(name), failure: whole };
  }

  /** The function becomes one that is known to be quick. */
  learn(functionName: string, meanMs: number): void {
    this.state.durations.finished.set(functionName, { seen: 16, meanMs, fastestMs: meanMs });
  }
}

/** Parcels that are to be published, as the ids of their tasks. */
export function published(instructions: readonly Instruction[]): TaskId[][] {
  return instructions.flatMap((each) =>
    each.kind === 'publish' ? [each.tasks.map((task) => idOf(each.run.plan.graph, task))] : [],
  );
}

export function withdrawn(instructions: readonly Instruction[]): TaskId[] {
  return instructions.flatMap((each) => (each.kind === 'withdraw' ? [each.head] : []));
}

export function ended(instructions: readonly Instruction[]): string[] {
  return instructions.flatMap((each) => (each.kind === 'complete' ? [each.outcome] : []));
}

/** The one task that is published. */
export function factsOf(
  instructions: readonly Instruction[],
): ReturnType<typeof parcelTask> | undefined {
  const publish = instructions.find((each) => each.kind === 'publish');
  return publish && parcelTask(publish.run, publish.tasks[0] ?? -1);
}

export const ids = (...names: string[]): TaskId[][] => names.map((name) => [idFor(name)]);
