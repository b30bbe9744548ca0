/**
 * The message of the work queue: one task, or several of functions that are known to be quick.
 *
 * Some of these may be *followers*: they take results of tasks before them in the same parcel, whose revisions nobody
 * knows yet.
 */
import { toBase32 } from './base32.ts';
import { JugqError } from './errors.ts';
import { hashBytes } from './hash-index.ts';
import { taskId, type RunId, type TaskId } from './identifiers.ts';
import { pack, requireFormat, unpack } from './wire.ts';

export const parcelFormat = 2;

/** A dependency as a parcel names it. */
export interface InputReference {
  readonly id: TaskId;
  /**
   * Revision of its result when the parcel was published; a cache may serve just that one. 0: there was none, it comes
   * from a task before this one in the same parcel.
   */
  readonly revision: number;
}

/** What a worker needs to know of a task's function. */
export interface ParcelFunction {
  readonly name: string;
  readonly fingerprint: string;
  /** How many times a failed attempt is tried again. */
  readonly retries: number;
  readonly timeoutMs?: number;
}

/** Where bytes too large for a message are kept. */
export interface BlobReference {
  readonly blob: string;
  readonly size: number;
  readonly digest: string;
}

/** One task of a parcel. */
export interface ParcelTask {
  readonly id: TaskId;
  readonly fn: ParcelFunction;
  /** Revision that the put of its result must expect: 0, or that of a delete marker. */
  readonly expects: number;
  /** Revision that the put of a failure record must expect. */
  readonly failureExpects: number;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly arguments: Uint8Array | BlobReference;
  readonly inputs: readonly InputReference[];
  /** Where the inputs are listed that are too many for a message; `inputs` is empty then. */
  readonly inputsElsewhere?: BlobReference;
}

/** A task as it is packed: by the 20 bytes of its hash. */
export type PackedTask = Omit<ParcelTask, 'id'> & { readonly hash: Uint8Array };

/** One queue message. */
export interface Parcel {
  readonly run: RunId;
  /** Digest of the bundle that has the functions. */
  readonly code: string;
  /** Its functions are known to be quick: on its first delivery it may run without a look for its results. */
  readonly quick: boolean;
  /** The first of its tasks that fails for good ends the run: nothing more of it is to be begun. */
  readonly failFast: boolean;
  /** Results of its tasks are taken by other tasks: worth keeping at hand. */
  readonly taken: boolean;
  readonly tasks: readonly ParcelTask[];
}

/**
 * The inputs of a task that tasks before it in its parcel give. One that was published by itself since has to read them:
 * they are not in its parcel then.
 */
export function inputsFromParcel({ inputs }: Pick<ParcelTask, 'inputs'>): InputReference[] {
  return inputs.filter(isFromParcel);
}

/** Whether there are such inputs. */
export function takesFromParcel({ inputs }: Pick<ParcelTask, 'inputs'>): boolean {
  return inputs.some(isFromParcel);
}

function isFromParcel({ revision }: InputReference): boolean {
  return revision === 0;
}

/** A parcel as bytes. */
export function encodeParcel(
  parcel: Omit<Parcel, 'tasks'>,
  tasks: readonly PackedTask[],
): Uint8Array {
  const functions = [...new Set(tasks.map((task) => task.fn))];
  return pack([
    parcelFormat,
    parcel.run,
    parcel.code,
    parcel.quick,
    parcel.failFast,
    parcel.taken,
    functions.map((fn) => [fn.name, fn.fingerprint, fn.retries, fn.timeoutMs ?? 0]),
    tasks.map((task) => [
      functions.length === 1 ? 0 : functions.indexOf(task.fn),
      task.hash,
      task.expects,
      task.failureExpects,
      task.attempt,
      task.arguments,
      task.inputsElsewhere ?? flatten(task.inputs),
    ]),
  ]);
}

/** A list of inputs by itself, for the object store. */
export function encodeInputs(inputs: readonly InputReference[]): Uint8Array {
  return pack([parcelFormat, ...flatten(inputs)]);
}

/**
 * Reads what `encodeInputs` has written.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodeInputs(bytes: Uint8Array): InputReference[] {
  const fields = unpack(bytes, 'a list of inputs');
  if (!Array.isArray(fields)) throw corrupt();
  const [format, ...flat] = fields as unknown[];
  requireFormat(format, parcelFormat, 'a list of inputs');
  return readInputs(flat);
}

function flatten(inputs: readonly InputReference[]): (string | number)[] {
  const flat: (string | number)[] = [];
  for (const { id, revision } of inputs) flat.push(id, revision);
  return flat;
}

/**
 * Reads a parcel; its byte strings are views of `bytes`.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodeParcel(bytes: Uint8Array): Parcel {
  const fields = unpack(bytes, 'a queue message');
  if (!Array.isArray(fields)) throw corrupt();
  requireFormat(fields[0], parcelFormat, 'a queue message');
  const [, run, code, quick, failFast, taken, functions, tasks] = fields as ParcelFields;
  if (!Array.isArray(functions) || !Array.isArray(tasks) || tasks.length === 0) throw corrupt();
  const known = functions.map(readFunction);
  return {
    run,
    code,
    quick,
    failFast,
    taken,
    tasks: tasks.map((fieldsOfTask) => readTask(known, fieldsOfTask)),
  };
}

type ParcelFields = [
  format: number,
  run: RunId,
  code: string,
  quick: boolean,
  failFast: boolean,
  taken: boolean,
  functions: unknown,
  tasks: unknown,
];

type TaskFields = [
  fn: number,
  hash: Uint8Array,
  expects: number,
  failureExpects: number,
  attempt: number,
  args: Uint8Array | BlobReference,
  inputs: unknown,
];

function readFunction(fields: unknown): ParcelFunction {
  if (!Array.isArray(fields) || typeof fields[0] !== 'string') throw corrupt();
  const [name, fingerprint, retries, timeoutMs] = fields as [string, string, number, number];
  return { name, fingerprint, retries, ...(timeoutMs > 0 ? { timeoutMs } : {}) };
}

function readTask(functions: readonly ParcelFunction[], fields: unknown): ParcelTask {
  if (!Array.isArray(fields) || !(fields[1] instanceof Uint8Array)) throw corrupt();
  const [at, hash, expects, failureExpects, attempt, args, inputs] = fields as TaskFields;
  const fn = functions[at];
  if (fn === undefined || hash.length !== hashBytes) throw corrupt();
  const id = taskId(fn.name, toBase32(hash));
  // Written out, not spread: objects that a spread has made slow down whoever reads them.
  if (Array.isArray(inputs)) {
    const read = readInputs(inputs);
    return { id, fn, expects, failureExpects, attempt, arguments: args, inputs: read };
  }
  if (!isBlobReference(inputs)) throw corrupt();
  const task = { id, fn, expects, failureExpects, attempt, arguments: args, inputs: [] };
  return { ...task, inputsElsewhere: inputs };
}

function isBlobReference(value: unknown): value is BlobReference {
  return typeof value === 'object' && value !== null && 'blob' in value;
}

function readInputs(flat: readonly unknown[]): InputReference[] {
  const inputs: InputReference[] = [];
  for (let i = 0; i < flat.length; i += 2) {
    inputs.push({ id: flat[i] as TaskId, revision: flat[i + 1] as number });
  }
  return inputs;
}

function corrupt(): JugqError {
  return new JugqError(
    'VALUE_CORRUPT',
    'a queue message is not a parcel: it was not written by jugq',
  );
}
