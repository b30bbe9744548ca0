/** What crosses between a worker and the threads and children that run tasks. */
import { JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { TaskError } from '../core/records.ts';
import { pack, unpack } from '../core/wire.ts';

/** Tasks to be run one after another. */
export interface Batch {
  /** The bundle, on disk. */
  readonly file: string;
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

/** A task of a batch: some of its inputs may be what tasks before it in the same batch give, named by their ids. */
export type BatchTask = Omit<RunnableTask, 'inputs'> & {
  readonly inputs: readonly (Uint8Array | TaskId)[];
};

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
    }
  /** It was not begun: a task before it, whose result it takes, has failed. */
  | { readonly kind: 'skipped' };

/** What a child process says first, once it can be given tasks. */
export const childReady = 'ready';

/** Tasks as one buffer. */
export function packTasks(tasks: readonly BatchTask[]): Uint8Array {
  return pack(tasks.map((task) => [task.id, task.attempt, task.arguments, task.inputs]));
}

/** The tasks in a buffer; their bytes are views of it. */
export function unpackTasks(bytes: Uint8Array): BatchTask[] {
  const tasks = unpack(bytes, 'a batch of tasks') as PackedBatchTask[];
  return tasks.map(([id, attempt, args, inputs]) => ({ id, attempt, arguments: args, inputs }));
}

type PackedBatchTask = [
  id: TaskId,
  attempt: number,
  args: Uint8Array,
  inputs: (Uint8Array | TaskId)[],
];

/** Outcomes as one buffer. */
export function packOutcomes(outcomes: readonly Outcome[]): Uint8Array {
  return pack(
    outcomes.map((each) => {
      if (each.kind === 'done') return ['done', each.ms, each.value, each.digest];
      return each.kind === 'failed' ? ['failed', each.ms, each.error, each.output] : ['skipped'];
    }),
  );
}

/** The outcomes in a buffer; their bytes are views of it. */
export function unpackOutcomes(bytes: Uint8Array): Outcome[] {
  const outcomes = unpack(bytes, 'the outcomes of a batch');
  // What user code has done to its thread may come out here.
  if (!Array.isArray(outcomes) || !outcomes.every((each) => Array.isArray(each))) {
    throw new JugqError('VALUE_CORRUPT', 'what came back are no outcomes: its thread is damaged');
  }
  return (outcomes as PackedOutcome[]).map((each) => {
    if (each[0] === 'done') return { kind: 'done', ms: each[1], value: each[2], digest: each[3] };
    if (each[0] === 'skipped') return { kind: 'skipped' };
    return { kind: 'failed', ms: each[1], error: each[2], output: each[3] };
  });
}

type PackedOutcome =
  | [kind: 'done', ms: number, value: Uint8Array, digest: string]
  | [kind: 'failed', ms: number, error: TaskError, output: string]
  | [kind: 'skipped'];
