/** What crosses between a worker and the threads and children that run tasks. */
import { JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { TaskError } from '../core/records.ts';
import { pack, unpack } from '../core/wire.ts';

/** Tasks of one function, to be run one after another. */
export interface Batch {
  /** The bundle, on disk. */
  readonly file: string;
  readonly functionName: string;
  /** Packed: see `packTasks`. One buffer crosses to a thread far more cheaply than many. */
  readonly tasks: Uint8Array;
}

/** A task with all that it needs. */
export interface RunnableTask {
  readonly id: TaskId;
  /** 1 for the first try. */
  readonly attempt: number;
  /** CBOR of the arguments. */
  readonly arguments: Uint8Array;
  /** CBOR of the dependencies' results, in the order of the references in the arguments. */
  readonly inputs: readonly Uint8Array[];
}

/** What became of one attempt. */
export type Outcome =
  | {
      readonly kind: 'done';
      readonly ms: number;
      readonly value: Uint8Array;
      readonly digest: string;
    }
  | {
      readonly kind: 'failed';
      readonly ms: number;
      readonly error: TaskError;
      readonly output: string;
    };

/** Tasks as one buffer. */
export function packTasks(tasks: readonly RunnableTask[]): Uint8Array {
  return pack(tasks.map((task) => [task.id, task.attempt, task.arguments, task.inputs]));
}

/** The tasks in a buffer; their bytes are views of it. */
export function unpackTasks(bytes: Uint8Array): RunnableTask[] {
  const tasks = unpack(bytes, 'a batch of tasks') as [TaskId, number, Uint8Array, Uint8Array[]][];
  return tasks.map(([id, attempt, args, inputs]) => ({ id, attempt, arguments: args, inputs }));
}

/** Outcomes as one buffer. */
export function packOutcomes(outcomes: readonly Outcome[]): Uint8Array {
  return pack(
    outcomes.map((each) =>
      each.kind === 'done'
        ? ['done', each.ms, each.value, each.digest]
        : ['failed', each.ms, each.error, each.output],
    ),
  );
}

/** The outcomes in a buffer; their bytes are views of it. */
export function unpackOutcomes(bytes: Uint8Array): Outcome[] {
  const outcomes = unpack(bytes, 'the outcomes of a batch');
  // What user code has done to its thread may come out here.
  if (!Array.isArray(outcomes) || !outcomes.every((each) => Array.isArray(each))) {
    throw new JugqError('VALUE_CORRUPT', 'what came back are no outcomes: its thread is damaged');
  }
  return (outcomes as PackedOutcome[]).map((each) =>
    each[0] === 'done'
      ? { kind: 'done', ms: each[1], value: each[2], digest: each[3] }
      : { kind: 'failed', ms: each[1], error: each[2], output: each[3] },
  );
}

type PackedOutcome =
  | [kind: 'done', ms: number, value: Uint8Array, digest: string]
  | [kind: 'failed', ms: number, error: TaskError, output: string];
