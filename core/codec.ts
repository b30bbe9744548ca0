/**
 * Values to CBOR and back: results, and the arguments of tasks.
 *
 * Guarantees: a value comes back exactly as it was or is refused with its place in it, and is never changed in silence;
 * what is decoded shares no memory with the bytes; equal values that were built in the same order give equal bytes; a
 * plain value is plain CBOR, for any reader. `codec-tags.ts` lists the tags that the less plain ones need.
 *
 * Values are what `value-shape.ts` admits. Of a class nothing but the built-in ones listed there is a value. A typed
 * array comes back over memory of its own, just as long as itself; an object that stood in several places, as several.
 */
import { exact, exactAt, pathOf, type Refer, type Walk } from './codec-substitutes.ts';
import { decodeExact, encodeExact, tags } from './codec-tags.ts';
import { JugqError } from './errors.ts';
import { asReference, placesReadIn, type Reference } from './references.ts';

export type { Refer } from './codec-substitutes.ts';

/**
 * CBOR of a value; the bytes are the caller's own.
 *
 * @throws JugqError `VALUE_NOT_STORABLE`, with the path inside `result`; field `path`
 */
export function encodeValue(value: unknown): Uint8Array {
  const walk: Walk = { path: [], containers: [] };
  return encode(walk, () => exact(walk, value));
}

/**
 * The value of this CBOR; shares no memory with `bytes`.
 *
 * @throws JugqError `VALUE_CORRUPT`
 */
export function decodeValue(bytes: Uint8Array): unknown {
  try {
    return decodeExact(bytes);
  } catch (cause) {
    throw corrupt('a stored value', cause);
  }
}

/**
 * CBOR of the arguments of a call, an array; trailing undefined ones are left out, as they are in its hash.
 *
 * @param refer - asked about every object and function in them, before anything else looks at it
 * @throws JugqError `VALUE_NOT_STORABLE`, with the path inside `argument 1`, `argument 2`…; field `path`
 */
export function encodeArguments(args: readonly unknown[], refer: Refer): Uint8Array {
  const walk: Walk = { path: [], containers: [args], refer };
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  return encode(walk, () => {
    const substitutes: unknown[] = [];
    for (let i = 0; i < count; i++) substitutes.push(exactAt(walk, i, args[i]));
    return substitutes;
  });
}

/**
 * The arguments of this CBOR, with a value in the place of each reference; shares no memory with `bytes`.
 *
 * @param resolve - called once for each reference, in the order of their places; what it throws is passed on
 * @throws JugqError `VALUE_CORRUPT`, `FORMAT_UNKNOWN`
 */
export function decodeArguments(
  bytes: Uint8Array,
  resolve: (reference: Reference) => unknown,
): unknown[] {
  const { references, fill } = openArguments(bytes);
  return fill(references.map((reference) => resolve(reference)));
}

/** Encoded arguments whose references are known, and wait for their values. */
export interface OpenArguments {
  /** In the order of their places. */
  readonly references: readonly Reference[];
  /** The arguments with these values in the places of the references; to be called once. */
  readonly fill: (values: readonly unknown[]) => unknown[];
}

/**
 * Looks which values encoded arguments refer to.
 *
 * @throws JugqError `VALUE_CORRUPT`, `FORMAT_UNKNOWN`
 */
export function openArguments(bytes: Uint8Array): OpenArguments {
  const references: Reference[] = [];
  const args = decodeList(bytes, (content) => references.push(asReference(content)));
  return {
    references,
    fill: (values) => {
      if (references.length === 0) return args;
      // Decoded again rather than resolved on the way: cbor-x copies its whole input for each decoding inside another,
      // and resolving decodes.
      let next = 0;
      return decodeList(bytes, () => values[next++]);
    },
  };
}

/**
 * The places of the inputs that a task reads; undefined: all of them, as nearly every task does.
 *
 * @param bytes - its arguments
 * @throws JugqError `VALUE_CORRUPT`, `FORMAT_UNKNOWN`
 */
export function placesRead(bytes: Uint8Array): ReadonlySet<number> | undefined {
  if (!takesUnread(bytes)) return undefined;
  return new Set(openArguments(bytes).references.flatMap(placesReadIn));
}

/**
 * Whether a task may take inputs that are not read before it runs: they are loaded later, or only waited for.
 *
 * @param bytes - its arguments
 */
export function takesUnread(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes(waitingMark);
}

/** How the tag is written; what only looks like it costs a look, no more. */
const waitingMark = Buffer.of(0xd9, tags.waiting >> 8, tags.waiting & 0xff);

function encode(walk: Walk, substitute: () => unknown): Uint8Array {
  try {
    return encodeExact(substitute());
  } catch (cause) {
    if (cause instanceof JugqError) throw cause;
    const path = pathOf(walk);
    throw new JugqError(
      'VALUE_NOT_STORABLE',
      `a value cannot be read or is too large: ${path}: ${String(cause)}: mend what throws this, or split the value`,
      { cause, fields: { path } },
    );
  }
}

function decodeList(bytes: Uint8Array, onReference: (reference: unknown) => unknown): unknown[] {
  try {
    const args = decodeExact(bytes, onReference);
    if (Array.isArray(args)) return args;
  } catch (cause) {
    throw cause instanceof JugqError ? cause : corrupt('the arguments of a task', cause);
  }
  throw corrupt('the arguments of a task');
}

function corrupt(what: string, cause?: unknown): JugqError {
  return new JugqError(
    'VALUE_CORRUPT',
    `not readable as CBOR of jugq: ${what}: it was cut, or written by something else: invalidate the task to compute it anew`,
    cause === undefined ? {} : { cause },
  );
}
