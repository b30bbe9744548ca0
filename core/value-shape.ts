/**
 * What a value may be made of, to be hashed or stored: one set of rules for both, so that whatever has an identity can
 * also travel.
 *
 * A value is primitives, arrays, plain objects and a closed list of built-in objects. Anything that a copy would lose
 * is a fault with a name: accessors, hidden and symbol-keyed properties, holes, extra properties, classes, cycles. Not
 * looked at, because it would cost more than the rest: accessors on the indices of an array, which are read once, and
 * whether something is frozen, which is not part of a value.
 */
import { inspect, types } from 'node:util';
import type { Step } from './value-path.ts';

/** Why a value is refused: "`what` cannot be stored: …: `mend`". */
export interface Fault {
  readonly what: string;
  readonly mend: string;
}

/** The way from the root to the value that is being looked at; both grow and shrink together with it. */
export interface Trail {
  readonly path: Step[];
  /** The container that each step of `path` leaves from. */
  readonly containers: object[];
}

/** Containers inside containers that are followed: a stack of 1 MB holds 500 levels of the costliest kind. */
export const levelsMax = 256;

/** Items of one array; cbor-x refuses to decode a longer one. */
export const itemsMax = 112_810_000;

/** Cycles are looked for at every 32nd level only, so that flat values pay nothing for it. */
const levelsPerLook = 32;

/** Up to this many items it is faster to list the keys of an array than to ask `inspect` about them (0.9 µs). */
const fewItems = 40;

/** Fails a cycle or a value that is too deep, when a container is entered; a cycle cuts the trail to its start. */
export function depthFault(trail: Trail): Fault | undefined {
  const depth = trail.containers.length;
  if (depth % levelsPerLook !== 0 || depth === 0) return undefined;
  const closing = trail.containers.findIndex(
    (container, position) => trail.containers.indexOf(container) < position,
  );
  if (closing !== -1) {
    trail.path.length = closing;
    return {
      what: 'a cycle',
      mend: 'leave out the reference that leads back to its own container',
    };
  }
  if (depth < levelsMax) return undefined;
  return {
    what: `a value nested deeper than ${levelsMax.toString()} levels`,
    mend: 'make it flatter, for example an array instead of a linked list',
  };
}

/** Own properties keyed by a symbol, other than `ignored`. */
export function symbolFault(value: object, ignored?: symbol): Fault | undefined {
  const symbols = Object.getOwnPropertySymbols(value);
  if (symbols.length === 0 || (symbols.length === 1 && symbols[0] === ignored)) return undefined;
  const symbol = symbols.find((each) => each !== ignored);
  return { what: `a property with the key ${String(symbol)}`, mend: 'use a text as its key' };
}

/** Why a property is not a plain one, whose value is all there is to it. */
export function propertyFault(property: PropertyDescriptor | undefined): Fault | undefined {
  if (property?.enumerable === true && property.get === undefined && property.set === undefined) {
    return undefined;
  }
  return property?.get !== undefined || property?.set !== undefined
    ? { what: 'a property with a getter or setter', mend: 'replace it by its value' }
    : { what: 'a property that is not enumerable', mend: 'copy the object with { ...object }' };
}

/** A gap in an array. */
export const holeFault: Fault = {
  what: 'a hole in an array',
  mend: 'fill it, for example with Array.from(array)',
};

/** Arrays of a class of their own, too long, or with more than items in them. */
export function arrayFault(items: readonly unknown[]): Fault | undefined {
  if (Object.getPrototypeOf(items) !== Array.prototype) {
    return {
      what: `an array of ${className(items)}`,
      mend: 'make it a plain one with Array.from(array)',
    };
  }
  if (items.length > itemsMax) {
    return {
      what: `an array of more than ${itemsMax.toString()} items`,
      mend: 'use a typed array',
    };
  }
  return symbolFault(items) ?? extraFault(items, items.length);
}

/** Properties of an array or a typed array beside its items. */
function extraFault(value: ArrayLike<unknown>, length: number): Fault | undefined {
  if (length > fewItems && showsNoExtras(value, length)) return undefined;
  const keys = Object.keys(value);
  if (keys.length === length) return undefined;
  const extra = keys.find((key) => !isIndex(key));
  if (extra === undefined) return undefined;
  return {
    what: `an array with the property ${JSON.stringify(extra)} beside its items`,
    mend: 'copy it with Array.from(array), or use an object',
  };
}

/**
 * Whether an array has nothing but items, at a cost that does not depend on how many there are.
 *
 * `inspect` is the one public way to Node's list of non-index properties. Were its output to change, the caller would
 * only be slower.
 */
function showsNoExtras(value: ArrayLike<unknown>, length: number): boolean {
  const shown = inspect(value, {
    maxArrayLength: 0,
    depth: 0,
    customInspect: false,
    showHidden: false,
    showProxy: false,
    getters: false,
    colors: false,
    breakLength: Infinity,
  });
  return shown.endsWith(`[ ... ${length.toString()} more items ]`);
}

function isIndex(key: string): boolean {
  return String(Number(key) >>> 0) === key;
}

/** Properties that someone has put on a Map, a Date or another built-in object. */
export function decoratedFault(value: object, expectedNames = 0): Fault | undefined {
  const names = Object.getOwnPropertyNames(value);
  if (names.length === expectedNames) return symbolFault(value);
  return {
    what: `${className(value)} with the property ${JSON.stringify(names.at(-1))}`,
    mend: 'store that beside it',
  };
}

/** Memory that cannot be copied faithfully; `value` is an ArrayBuffer or a view of one. */
export function bytesFault(value: ArrayBufferLike | ArrayBufferView): Fault | undefined {
  const view = ArrayBuffer.isView(value);
  const buffer = view ? value.buffer : value;
  if (buffer instanceof SharedArrayBuffer) return { what: 'shared memory', mend: 'copy it first' };
  if (value.byteLength === 0 && isDetached(buffer)) {
    return { what: 'memory that was transferred away', mend: 'copy it before transferring it' };
  }
  if (!view && 'resizable' in buffer && buffer.resizable === true) {
    return { what: 'a resizable ArrayBuffer', mend: 'copy it with slice()' };
  }
  if (view && !(value instanceof DataView)) {
    const items = value as unknown as ArrayLike<unknown>;
    return symbolFault(value) ?? extraFault(items, items.length);
  }
  return decoratedFault(value);
}

function isDetached(buffer: ArrayBuffer): boolean {
  try {
    return new Uint8Array(buffer).length !== 0;
  } catch {
    // The constructor refuses just this.
    return true;
  }
}

/** What is wrong with something that is not a value at all. */
export function foreignFault(value: unknown, mendOfClass: string): Fault {
  if (typeof value === 'symbol') return { what: 'a symbol', mend: 'use a text instead' };
  if (typeof value === 'function') {
    return { what: 'a function', mend: 'use data instead, or a function made with task(…)' };
  }
  if (types.isPromise(value)) return { what: 'a Promise', mend: 'await it first' };
  if (types.isBoxedPrimitive(value)) {
    return { what: `a boxed primitive (new ${className(value)}(…))`, mend: 'use the primitive' };
  }
  const instance = value as object;
  if (Symbol.iterator in instance && 'next' in instance) {
    return { what: 'an iterator', mend: 'collect its items with Array.from(iterator)' };
  }
  const name = className(instance);
  const what =
    name === 'Object' ? 'an object with a prototype of its own' : `an instance of ${name}`;
  return { what, mend: mendOfClass };
}

/** Whether a class of the language or of Node, other than Object, is among the classes of an object. */
export function extendsBuiltin(value: object): boolean {
  for (
    let prototype = Object.getPrototypeOf(value) as object | null;
    prototype !== null && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
    if (typeof constructor !== 'function') continue;
    if (Function.prototype.toString.call(constructor).endsWith('{ [native code] }')) return true;
  }
  return types.isProxy(value);
}

/** Name of the class of an object, read without running any code of it. */
export function className(value: object): string {
  for (
    let prototype = Object.getPrototypeOf(value) as object | null;
    prototype !== null;
    prototype = Object.getPrototypeOf(prototype) as object | null
  ) {
    const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value;
    if (typeof constructor === 'function' && constructor.name !== '') return constructor.name;
  }
  return 'a class without a name';
}
