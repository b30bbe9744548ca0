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
import { isLazy, type Reference } from './references.ts';
import { Instead } from './stand-in.ts';
import { isWellFormed } from './text.ts';
import { typedArrayTags, type TypedArray } from './typed-arrays.ts';
import { renderPath, type Step } from './value-path.ts';
import {
  arrayFault,
  bytesFault,
  decoratedFault,
  depthFault,
  extendsBuiltin,
  foreignFault,
  holeFault,
  propertyFault,
  symbolFault,
  type Fault,
  type Trail,
} from './value-shape.ts';

/**
 * What refers to an object or a function inside arguments: a plain CBOR-able value, or an `Instead` of what is to be
 * written in its place; undefined: it is a value itself.
 */
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
      return exactFunction(walk, value);
    case 'symbol':
      throw refused(walk, foreignFault(value, mendOfClass));
  }
}

/** As `exact`, for a value that is one step further down. */
export function exactAt(walk: Walk, step: Step, value: unknown): unknown {
  walk.path.push(step);
  const result = exact(walk, value);
  walk.path.pop();
  return result;
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

function exactFunction(walk: Walk, value: object): unknown {
  const reference = walk.refer?.(value);
  if (reference === undefined) throw refused(walk, foreignFault(value, mendOfClass));
  return exactReference(walk, reference);
}

function exactReference(walk: Walk, reference: unknown): unknown {
  if (reference instanceof Instead) {
    const written = exact(walk, reference.value);
    return reference.waits ? tagged(tags.waiting, written) : written;
  }
  if (typeof reference !== 'object') return tagged(tags.reference, reference);
  const written = tagged(tags.reference, exact({ path: [], containers: [] }, reference));
  return isLazy(reference as Reference) ? tagged(tags.waiting, written) : written;
}

function exactObject(walk: Walk, value: object): unknown {
  const reference = walk.refer?.(value);
  if (reference !== undefined) return exactReference(walk, reference);
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
  if (prototype === null) return exactBare(walk, value);
  const substitute = builtins.get(prototype);
  if (substitute !== undefined) return substitute(walk, value);
  if (isKeyedInstance(walk, value)) return exactPlain(walk, { ...value });
  throw refused(walk, foreignFault(value, mendOfClass));
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
      if (item === undefined && !Object.hasOwn(items, i)) throw refused(walk, holeFault);
      result = exact(walk, item);
      walk.path.pop();
    }
    if (result !== item) (copy ??= items.slice())[i] = result;
  }
  return copy ?? items;
}

function exactPlain(walk: Walk, value: object): unknown {
  refuse(walk, symbolFault(value, ignoredSymbol(walk)));
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.getOwnPropertyNames(value)) {
    if (key === '__proto__' || !survives(key)) {
      return tagged(tags.keyedObject, exactEntries(walk, value));
    }
    const item = readProperty(walk, value, key);
    const result = exactAt(walk, key, item);
    if (result !== item) (copy ??= { ...value })[key] = result;
  }
  return copy ?? value;
}

function exactBare(walk: Walk, value: object): unknown {
  refuse(walk, symbolFault(value, ignoredSymbol(walk)));
  return tagged(tags.bareObject, exactEntries(walk, value));
}

/** A [hashKey] on an argument has done its work in the hash; on a result it would be lost, and is refused. */
function ignoredSymbol(walk: Walk): symbol | undefined {
  return walk.refer === undefined ? undefined : hashKey;
}

/**
 * An argument of a class of the user's own that says by [hashKey]() what counts of it: its own properties travel, its
 * class does not. What inherits from a built-in class has content that is no property, and is refused.
 */
function isKeyedInstance(walk: Walk, value: object): boolean {
  return walk.refer !== undefined && hashKey in value && !extendsBuiltin(value);
}

function exactEntries(walk: Walk, value: object): Map<unknown, unknown> {
  const entries = new Map<unknown, unknown>();
  for (const key of Object.getOwnPropertyNames(value)) {
    entries.set(exactText(key), exactAt(walk, key, readProperty(walk, value, key)));
  }
  return entries;
}

/** Reads an own property without running a getter. */
function readProperty(walk: Walk, value: object, key: string): unknown {
  const property = Object.getOwnPropertyDescriptor(value, key);
  const fault = propertyFault(property);
  if (fault !== undefined) {
    walk.path.push(key);
    throw refused(walk, fault);
  }
  return property?.value;
}

function exactMap(walk: Walk, map: ReadonlyMap<unknown, unknown>): unknown {
  refuse(walk, decoratedFault(map));
  const entries: [unknown, unknown][] = [];
  let substituted = false;
  for (const [key, value] of map) {
    const position = entries.length;
    const exactKey = exactAt(walk, { kind: 'key', position }, key);
    const exactValue = exactAt(walk, { kind: 'value', position, key }, value);
    if (exactKey !== key || exactValue !== value) substituted = true;
    entries.push([exactKey, exactValue]);
  }
  return substituted ? new Map(entries) : map;
}

function exactSet(walk: Walk, set: ReadonlySet<unknown>): unknown {
  refuse(walk, decoratedFault(set));
  const items: unknown[] = [];
  let substituted = false;
  for (const item of set) {
    const result = exactAt(walk, { kind: 'item', position: items.length }, item);
    if (result !== item) substituted = true;
    items.push(result);
  }
  return substituted ? tagged(tags.set, items) : set;
}

function exactDate(walk: Walk, date: Date): unknown {
  refuse(walk, decoratedFault(date));
  const time = date.getTime();
  // The encoder writes seconds, and the decoder rounds them to milliseconds. An invalid date is NaN in both.
  if (Number.isNaN(time)) return tagged(tags.exactDate, oneNaN);
  return Math.round((time / 1000) * 1000) === time ? date : tagged(tags.exactDate, time);
}

function exactRegExp(walk: Walk, pattern: RegExp): unknown {
  refuse(walk, decoratedFault(pattern, 1));
  const { source, flags } = pattern;
  const lastIndex: unknown = exactAt(walk, 'lastIndex', pattern.lastIndex);
  if (flags === '' && lastIndex === 0 && survives(source)) return tagged(tags.regExp, source);
  return tagged(tags.fullRegExp, [exactText(source), flags, lastIndex]);
}

function exactUrl(walk: Walk, url: URL): unknown {
  refuse(walk, decoratedFault(url));
  return tagged(tags.url, url.href);
}

function exactError(walk: Walk, error: Error, kind: ErrorKind): unknown {
  const { hidden, shown } = takeErrorApart(error, kind);
  return tagged(tags.error, [kind, exactPlain(walk, hidden), exactPlain(walk, shown)]);
}

function exactArrayBuffer(walk: Walk, buffer: ArrayBuffer): unknown {
  refuse(walk, bytesFault(buffer));
  return tagged(tags.arrayBuffer, Buffer.from(buffer));
}

function exactDataView(walk: Walk, view: DataView): unknown {
  refuse(walk, bytesFault(view));
  const bytes = Buffer.from(view.buffer, view.byteOffset, view.byteLength);
  return tagged(tags.dataView, bytes);
}

/** The encoder writes these as they are. */
function exactTypedArray(walk: Walk, view: TypedArray): unknown {
  refuse(walk, bytesFault(view));
  return view;
}

function refuse(walk: Walk, fault: Fault | undefined): void {
  if (fault !== undefined) throw refused(walk, fault);
}

function refused(walk: Walk, fault: Fault): JugqError {
  const path = pathOf(walk);
  return new JugqError(
    'VALUE_NOT_STORABLE',
    `${fault.what} cannot be stored: ${path}: ${fault.mend}`,
    { fields: { path } },
  );
}

const mendOfClass = 'turn it into a plain object, for example { ...instance }';

type Substitute = (walk: Walk, value: object) => unknown;

/** Safe because a substitute is found by the prototype of the very class that it is for. */
function builtin<T extends object>(
  prototype: T,
  substitute: (walk: Walk, value: T) => unknown,
): [unknown, Substitute] {
  return [prototype, substitute as Substitute];
}

/** What to do with each built-in object, by its prototype. */
const builtins: ReadonlyMap<unknown, Substitute> = new Map([
  builtin(Map.prototype, exactMap),
  builtin(Set.prototype, exactSet),
  builtin(Date.prototype, exactDate),
  builtin(RegExp.prototype, exactRegExp),
  builtin(URL.prototype, exactUrl),
  builtin(ArrayBuffer.prototype, exactArrayBuffer),
  builtin(DataView.prototype, exactDataView),
  builtin(Buffer.prototype as TypedArray, exactTypedArray),
  ...Array.from(typedArrayTags.keys(), (prototype) => builtin(prototype, exactTypedArray)),
  ...Array.from(errorKinds, ([prototype, kind]) =>
    builtin(prototype, (walk, error) => exactError(walk, error, kind)),
  ),
]);
