/**
 * The one walk over a value before cbor-x sees it: it puts substitutes where the encoder would change something, and
 * refuses what nothing can stand for.
 *
 * A value with nothing to substitute, which is nearly every value, comes back as it is: containers are copied only when
 * something inside them is substituted. An object that stands in several places is encoded in each, so that it comes
 * back as several.
 */
import { negativeZero, oneNaN, tagged, tags } from './codec-tags.ts';
import { errorKinds, takeErrorApart, type ErrorKind } from './error-parts.ts';
import { JugqError } from './errors.ts';
import { hashKey } from './identity.ts';
import { isWellFormed } from './text.ts';
import { typedArrayTags, type TypedArray } from './typed-arrays.ts';
import { renderPath, type Step } from './value-path.ts';
import {
  arrayFault,
  bytesFault,
  decoratedFault,
  depthFault,
  foreignFault,
  holeFault,
  propertyFault,
  symbolFault,
  type Fault,
  type Trail,
} from './value-shape.ts';

/** The plain CBOR-able value that refers to an object or a function inside arguments; undefined: it is a value itself. */
export type Refer = (value: object) => unknown;

/** A value on its way into CBOR. */
export interface Walk extends Trail {
  /** Absent for results, in which nothing refers to anything. */
  readonly refer?: Refer;
}

const byteOrderMark = 0xfeff;
/** Whole numbers of cbor-x end here; beyond, a bigint is a byte string with a tag. */
const bigintBound = 1n << 64n;

/**
 * What to encode for `value`: itself, or a substitute.
 *
 * @throws JugqError `VALUE_NOT_STORABLE`; field `path`
 */
export function exact(walk: Walk, value: unknown): unknown {
  switch (typeof value) {
    case 'number':
      return exactNumber(value);
    case 'string':
      return exactText(value);
    case 'boolean':
    case 'undefined':
      return value;
    case 'bigint':
      return exactBigint(value);
    case 'object':
      return value === null ? null : exactObject(walk, value);
    case 'function':
      return exactReference(walk, value) ?? refuse(walk, foreignFault(value, mendOfClass));
    case 'symbol':
      return refuse(walk, foreignFault(value, mendOfClass));
  }
}

/** As `exact`, for a value that is one step further down. */
export function exactAt(walk: Walk, step: Step, value: unknown): unknown {
  walk.path.push(step);
  const result = exact(walk, value);
  walk.path.pop();
  return result;
}

/** Fails when there is a fault in the value that the walk stands at. */
export function refuse(walk: Walk, fault: Fault | undefined): void {
  if (fault === undefined) return;
  const path = pathOf(walk);
  throw new JugqError('VALUE_NOT_STORABLE', `${fault.what} cannot be stored: ${path}: ${fault.mend}`, {
    fields: { path },
  });
}

/** Where the walk stands, as a user would say it. */
export function pathOf(walk: Walk): string {
  if (walk.refer === undefined) return renderPath('result', walk.path);
  const [position, ...steps] = walk.path;
  return typeof position === 'number'
    ? renderPath(`argument ${(position + 1).toString()}`, steps)
    : 'the arguments';
}

function exactNumber(value: number): unknown {
  if (value === 0) return 1 / value > 0 ? value : negativeZero;
  return Number.isNaN(value) ? oneNaN : value;
}

function exactText(text: string): unknown {
  if (survives(text)) return text;
  return tagged(tags.wideText, Buffer.from(text, 'utf16le'));
}

/** Readers drop a byte order mark, and UTF-8 has no lone surrogates. */
function survives(text: string): boolean {
  return text.charCodeAt(0) !== byteOrderMark && isWellFormed(text);
}

function exactBigint(value: bigint): unknown {
  if (value < bigintBound && value > -bigintBound) return value;
  const magnitude = value < 0n ? -1n - value : value;
  const digits = magnitude.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return tagged(value < 0n ? tags.negativeBignum : tags.unsignedBignum, bytes);
}

function exactReference(walk: Walk, value: object): unknown {
  const reference = walk.refer?.(value);
  return reference === undefined ? undefined : tagged(tags.reference, reference);
}

function exactObject(walk: Walk, value: object): unknown {
  const reference = exactReference(walk, value);
  if (reference !== undefined) return reference;
  refuse(walk, depthFault(walk));
  walk.containers.push(value);
  const result = exactContents(walk, value);
  walk.containers.pop();
  return result;
}

function exactContents(walk: Walk, value: object): unknown {
  if (Array.isArray(value)) return exactArray(walk, value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype) return exactPlain(walk, value);
  if (prototype === null) return tagged(tags.bareObject, new Map(exactEntries(walk, value)));
  const substitute = builtins.get(prototype);
  if (substitute === undefined) return refuse(walk, foreignFault(value, mendOfClass));
  return substitute(walk, value);
}

function exactArray(walk: Walk, items: readonly unknown[]): unknown {
  refuse(walk, arrayFault(items));
  let copy: unknown[] | undefined;
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    let result: unknown;
    if (typeof item === 'number') {
      result = exactNumber(item);
    } else {
      walk.path.push(i);
      if (item === undefined && !Object.hasOwn(items, i)) refuse(walk, holeFault);
      result = exact(walk, item);
      walk.path.pop();
    }
    if (result !== item) (copy ??= items.slice())[i] = result;
  }
  return copy ?? items;
}

function exactPlain(walk: Walk, value: object): unknown {
  // A [hashKey] on an argument has done its work in the hash; on a result it would be lost.
  refuse(walk, symbolFault(value, walk.refer === undefined ? undefined : hashKey));
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.getOwnPropertyNames(value)) {
    if (key === '__proto__' || !survives(key)) {
      return tagged(tags.keyedObject, new Map(exactEntries(walk, value)));
    }
    const item = readProperty(walk, value, key);
    const result = exactAt(walk, key, item);
    if (result !== item) (copy ??= plainCopy(value))[key] = result;
  }
  return copy ?? value;
}
