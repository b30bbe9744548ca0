/**
 * What stands in encoded arguments for a task, a part of one, a function or a file, and how a value takes its place.
 *
 * The inputs of a task are numbered; references name them by these numbers, so that equal arguments are equal bytes
 * wherever their tasks stand in a graph.
 */
import { inspect } from 'node:util';
import { JugqError } from './errors.ts';
import { renderPath } from './value-path.ts';

/** What stands for a value, or for a way to one. */
export type Reference = ValueReference | LazyReference | FileReference;

/** A task (its place among the dependencies), a function (its name), or a part of a task. */
export type ValueReference = number | string | PartReference;

/** A value that the task loads when it wants it; its result is not read before. */
export interface LazyReference {
  readonly lazy: number | PartReference;
  /** Of the task whose result it is. */
  readonly id: string;
}

/** A file by its content. */
export interface FileReference {
  /** SHA-256 of its content, hexadecimal. */
  readonly file: string;
  /** Where it was when it was planned, absolute. */
  readonly path: string;
  /** In bytes. */
  readonly size: number;
}

/** A part of the result of a task: steps from the whole to the part. */
export interface PartReference {
  readonly of: number;
  readonly steps: readonly StepReference[];
}

export type StepReference =
  /** A key, an index (negative: from the end). */
  | string
  | number
  /** The key is itself a result. */
  | { readonly by: ValueReference }
  /** One item of an array that must have so many. */
  | { readonly item: number; readonly count: number }
  /** The function of this name makes the part. */
  | { readonly call: string };

/** Where the values come from. */
export interface References {
  /** The input at this place. */
  input(place: number): unknown;
  functionNamed(name: string): (...args: never[]) => unknown;
}

/**
 * The value that a reference stands for.
 *
 * @throws JugqError `PART_MISSING`; what `from` and the functions throw
 */
export function resolveReference(reference: ValueReference, from: References): unknown {
  if (typeof reference === 'number') return from.input(reference);
  if (typeof reference === 'string') return from.functionNamed(reference);
  const walked: (string | number)[] = [];
  return reference.steps.reduce<unknown>((value, step) => {
    if (typeof step === 'object' && 'call' in step) {
      walked.length = 0;
      return called(step.call, from.functionNamed(step.call), value);
    }
    const key = keyOf(step, from);
    if (typeof step === 'object' && 'count' in step) requireCount(value, step.count, walked);
    const part = partAt(value, key, walked);
    walked.push(key);
    return part;
  }, from.input(reference.of));
}

/** The places of all inputs that a reference needs. */
export function placesIn(reference: Reference): number[] {
  if (typeof reference === 'string' || isFile(reference)) return [];
  if (typeof reference === 'number') return [reference];
  if (isLazy(reference)) return placesIn(reference.lazy);
  const keys = reference.steps.flatMap((step) =>
    typeof step === 'object' && 'by' in step ? placesIn(step.by) : [],
  );
  return [reference.of, ...keys];
}

/** The places of those inputs that must be there before the task begins. */
export function placesReadIn(reference: Reference): number[] {
  if (typeof reference !== 'object' || !isLazy(reference)) return placesIn(reference);
  const { lazy } = reference;
  return typeof lazy === 'number' ? [] : placesIn(lazy).slice(1);
}

/** The names of all functions that a reference needs. */
export function functionsIn(reference: Reference): string[] {
  if (typeof reference === 'number' || isFile(reference)) return [];
  if (typeof reference === 'string') return [reference];
  if (isLazy(reference)) return functionsIn(reference.lazy);
  return reference.steps.flatMap((step) => {
    if (typeof step !== 'object') return [];
    if ('call' in step) return [step.call];
    return 'by' in step ? functionsIn(step.by) : [];
  });
}

/** Whether it stands for a way to a value. */
export function isLazy(reference: Reference): reference is LazyReference {
  return typeof reference === 'object' && 'lazy' in reference;
}

/** Whether it stands for a path to a file. */
export function isFile(reference: Reference): reference is FileReference {
  return typeof reference === 'object' && 'file' in reference;
}

/** Reads a reference out of decoded arguments. */
export function asReference(content: unknown): Reference {
  if (typeof content === 'number' || typeof content === 'string') return content;
  if (typeof content === 'object' && content !== null) {
    if ('of' in content && 'steps' in content) return content as PartReference;
    if ('lazy' in content && 'id' in content) return content as LazyReference;
    if ('file' in content && 'path' in content) return content as FileReference;
  }
  throw new JugqError(
    'FORMAT_UNKNOWN',
    'the arguments of a task refer to something that this version of jugq does not know: update the worker',
  );
}

function keyOf(
  step: Exclude<StepReference, { readonly call: string }>,
  from: References,
): string | number {
  if (typeof step !== 'object') return step;
  if ('item' in step) return step.item;
  const key = resolveReference(step.by, from);
  if (typeof key === 'string' || Number.isInteger(key)) return key as string | number;
  throw new JugqError(
    'PART_MISSING',
    `the key of a part is itself a result: expected a text or a whole number, got ${inspect(key, { depth: 0 })}: pick by a task that returns one`,
  );
}

function called(name: string, run: (...args: never[]) => unknown, value: unknown): unknown {
  const part: unknown = Reflect.apply(run, undefined, [value]);
  if (typeof part !== 'object' || part === null || !('then' in part)) return part;
  throw new JugqError(
    'USAGE',
    `derive(): ${name} returned a promise: what derives a part cannot wait: make it a task function`,
  );
}

function requireCount(value: unknown, count: number, walked: readonly (string | number)[]): void {
  if (Array.isArray(value) && value.length === count) return;
  throw partMissing(`it cannot be split into ${count.toString()}`, value, walked);
}

/**
 * A part of a value: of a Map by its key, of everything else a property of its own.
 *
 * @param walked - the keys on the way to `value`, for messages
 * @throws JugqError `PART_MISSING` for what an array does not have, and for any key of a number, null and the like
 */
export function partAt(
  value: unknown,
  key: string | number,
  walked: readonly (string | number)[] = [],
): unknown {
  if (value instanceof Map) return (value as ReadonlyMap<unknown, unknown>).get(key);
  if (isIndexed(value)) {
    if (key === 'length') return value.length;
    const at = typeof key === 'string' ? -1 : key < 0 ? value.length + key : key;
    if (at >= 0 && at < value.length) return value[at];
  } else if (typeof value === 'object' && value !== null) {
    // An optional property may be absent; what every object inherits is not part of it.
    return Object.hasOwn(value, key) ? (Reflect.get(value, key) as unknown) : undefined;
  }
  throw partMissing(`there is no ${renderPath('', [key])} in it`, value, walked);
}

function isIndexed(value: unknown): value is ArrayLike<unknown> {
  return (
    typeof value === 'string' ||
    Array.isArray(value) ||
    (ArrayBuffer.isView(value) && !(value instanceof DataView))
  );
}

function partMissing(
  what: string,
  value: unknown,
  walked: readonly (string | number)[],
): JugqError {
  const where = renderPath('result', walked);
  const is = isIndexed(value)
    ? `has ${value.length.toString()} items`
    : `is ${inspect(value, { depth: 0, breakLength: Infinity })}`;
  return new JugqError(
    'PART_MISSING',
    `${where} of a task ${is}: ${what}: take a part that there is`,
  );
}
