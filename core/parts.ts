/**
 * Parts of results: `pick`, `split` and `derive`. A part is no task: it is taken where it is used, by the task that takes
 * it as an argument, and it counts in that task's identity.
 */
import { inspect } from 'node:util';
import { JugqError } from './errors.ts';
import type { Identity } from './identity.ts';
import { namedFunction, type NamedFunction } from './plain-functions.ts';
import {
  isFile,
  isLazy,
  partAt,
  type PartReference,
  type StepReference,
  type ValueReference,
} from './references.ts';
import {
  describe,
  identify,
  Instead,
  isStandIn,
  refer,
  refuseUse,
  type IdOf,
  type PlaceOf,
  type StandInObject,
} from './stand-in.ts';
import {
  callerLine,
  TaskHandle,
  type Parameter,
  type Part,
  type Returned,
  type StandIn,
} from './task.ts';

/** One step from a result to a part of it. */
type PartStep =
  | string
  | number
  /** The key is a result. */
  | { readonly by: StandInObject }
  /** One item of an array that must have so many. */
  | { readonly item: number; readonly count: number }
  | { readonly call: NamedFunction };

/** A part of the result of a task, as an object. */
export class PartHandle implements StandInObject {
  readonly #of: TaskHandle;
  readonly #steps: readonly PartStep[];

  constructor(of: TaskHandle, steps: readonly PartStep[]) {
    this.#of = of;
    this.#steps = steps;
  }

  /** The task that it is a part of. */
  static taskOf(part: PartHandle): TaskHandle {
    return part.#of;
  }

  /** The part of this part. */
  static at(part: PartHandle, step: PartStep): PartHandle {
    return new PartHandle(part.#of, [...part.#steps, step]);
  }

  [identify](idOf: IdOf): Identity {
    return { kind: 'part', of: idOf(this.#of), path: this.#steps.map(countingOf) };
  }

  [refer](placeOf: PlaceOf): PartReference {
    const of = placeOf(this.#of);
    return { of, steps: this.#steps.map((step) => referTo(step, placeOf)) };
  }

  [describe](): string {
    return `a part of a task of ${this.#of.definition.name}`;
  }

  [inspect.custom](): string {
    return `Part of ${inspect(this.#of)}`;
  }
}
refuseUse(PartHandle.prototype);

/** A value that stands for itself where a part of a result is expected: what comes of reducing nothing. */
export class ConstantHandle implements StandInObject {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  static valueOf(constant: ConstantHandle): unknown {
    return constant.#value;
  }

  [identify](): Identity {
    return { kind: 'value', value: this.#value };
  }

  [refer](): Instead {
    return new Instead(this.#value);
  }

  [describe](): string {
    return 'the outcome of a reduction';
  }

  [inspect.custom](): string {
    return inspect(this.#value);
  }
}
refuseUse(ConstantHandle.prototype);

/** What a value may be picked from by: indices of arrays, keys of everything else. */
export type Key<T> =
  T extends ReadonlyMap<infer K, unknown>
    ? Extract<K, string | number>
    : T extends readonly unknown[]
      ? 'length' | IndexOf<T>
      : T extends ArrayLike<unknown>
        ? 'length' | number
        : Extract<keyof T, string | number>;

/** Of a tuple only the indices that it has. */
type IndexOf<T extends readonly unknown[]> = number extends T['length']
  ? number
  : { [K in keyof T]: K extends `${infer N extends number}` ? N : never }[number];

/** What stands at a key. */
export type Item<T, K> =
  T extends ReadonlyMap<unknown, infer V> ? V | undefined : K extends keyof T ? T[K] : never;

type KeyIn<T> = Key<NonNullable<T>>;
type ItemIn<T, K> = Item<NonNullable<T>, K>;
type By<K> = K | StandIn<K>;

/** The items of an array of `N`. */
export type Split<T extends readonly unknown[], N extends number> = number extends T['length']
  ? Parts<T[number], N>
  : { -readonly [K in keyof T]: Part<T[K]> };

/** How many items an array may be split into: of a tuple, as many as it has. */
export type CountOf<T extends readonly unknown[], N extends number> = number extends T['length']
  ? N
  : N & T['length'];

/** What does not wait. */
type AtOnce<R> = R extends PromiseLike<unknown> ? never : R;

type Parts<T, N extends number> = IsShort<`${N}`> extends true ? Tuple<T, N> : Part<T>[];

/** Whether it is a count of one or two digits: the compiler takes its time over a long tuple, and some numbers are none. */
type IsShort<Digits extends string> = Digits extends `${bigint}`
  ? Digits extends `-${string}` | `${infer _A}${infer _B}${infer _C}${infer _D}`
    ? false
    : true
  : false;

type Tuple<T, N extends number, Made extends Part<T>[] = []> = Made['length'] extends N
  ? Made
  : Tuple<T, N, [...Made, Part<T>]>;

/**
 * A part of a result, by keys and indices; a negative index counts from the end. A key may itself be a task, which is
 * then a dependency of whoever takes the part. The same key gives the same part wherever it is picked.
 *
 * @throws JugqError `USAGE` for anything but a task or a part of one, or a key that is none
 */
export function pick<T, A extends KeyIn<T>>(from: Part<T>, a: By<A>): Part<ItemIn<T, A>>;
export function pick<T, A extends KeyIn<T>, B extends KeyIn<ItemIn<T, A>>>(
  from: Part<T>,
  ...path: readonly [By<A>, By<B>]
): Part<ItemIn<ItemIn<T, A>, B>>;
export function pick<
  T,
  A extends KeyIn<T>,
  B extends KeyIn<ItemIn<T, A>>,
  C extends KeyIn<ItemIn<ItemIn<T, A>, B>>,
>(from: Part<T>, ...path: readonly [By<A>, By<B>, By<C>]): Part<ItemIn<ItemIn<ItemIn<T, A>, B>, C>>;
export function pick<
  T,
  A extends KeyIn<T>,
  B extends KeyIn<ItemIn<T, A>>,
  C extends KeyIn<ItemIn<ItemIn<T, A>, B>>,
  D extends KeyIn<ItemIn<ItemIn<ItemIn<T, A>, B>, C>>,
>(
  from: Part<T>,
  ...path: readonly [By<A>, By<B>, By<C>, By<D>]
): Part<ItemIn<ItemIn<ItemIn<ItemIn<T, A>, B>, C>, D>>;
/** As seen from within; what lies deeper is picked from a part. */
export function pick(from: unknown, ...path: readonly unknown[]): unknown {
  return path.reduce<Whole>(
    (part, key) => partOf('pick', part, keyStep(key)),
    wholeOf('pick', from),
  );
}

/**
 * The items of a result that is an array of just `count` items; a result of another length fails who takes an item.
 *
 * @throws JugqError `USAGE`
 */
export function split<T extends readonly unknown[], N extends number>(
  from: Part<T>,
  count: CountOf<T, N>,
): Split<T, N>;
/** As seen from within. */
export function split(from: unknown, count: number): unknown {
  const whole = wholeOf('split', from);
  if (!Number.isInteger(count) || count < 0) {
    throw new JugqError(
      'USAGE',
      `split(): expected a whole number of items, got ${inspect(count, { depth: 0 })}: ${callerLine()}`,
    );
  }
  return Array.from({ length: count }, (_, item) => partOf('split', whole, { item, count }));
}

/**
 * What a function makes of a result, where it is used: for what is cheaper to compute again than to store.
 *
 * @param f - a named function at the top level of a module, or a task function; it must not wait, nor change what it is
 *   given
 * @throws JugqError `USAGE`, and what `namedFunction` throws
 */
export function derive<T, F extends CallableFunction>(
  from: Part<T>,
  f: F & (T extends Parameter<F> ? unknown : never),
): Part<AtOnce<Returned<F>>>;
/** As seen from within. */
export function derive(from: unknown, f: unknown): unknown {
  return partOf('derive', wholeOf('derive', from), { call: namedFunction('derive', f) });
}

type Whole = TaskHandle | PartHandle | ConstantHandle;

function wholeOf(call: string, from: unknown): Whole {
  if (from instanceof TaskHandle || from instanceof PartHandle || from instanceof ConstantHandle)
    return from;
  throw new JugqError(
    'USAGE',
    `${call}(): expected a task or a part of one, got ${inspect(from, { depth: 0 })}: ${callerLine()}`,
  );
}

function partOf(call: string, whole: Whole, step: PartStep): Whole {
  if (whole instanceof TaskHandle) return new PartHandle(whole, [step]);
  if (whole instanceof PartHandle) return PartHandle.at(whole, step);
  const value = ConstantHandle.valueOf(whole);
  if (typeof step !== 'object') return new ConstantHandle(partAt(value, step));
  if ('item' in step) return new ConstantHandle(partAt(value, step.item));
  if ('call' in step)
    return new ConstantHandle(Reflect.apply(step.call.source, undefined, [value]) as unknown);
  throw new JugqError(
    'USAGE',
    `${call}(): what comes of reducing nothing is known while planning, and cannot be picked from by a task: ${callerLine()}`,
  );
}

function keyStep(key: unknown): PartStep {
  if (isStandIn(key)) return { by: key };
  if (typeof key === 'string') return key;
  if (typeof key === 'number' && Number.isInteger(key)) return key === 0 ? 0 : key;
  throw new JugqError(
    'USAGE',
    `pick(): expected a text, a whole number or a task as a key, got ${inspect(key, { depth: 0 })}: ${callerLine()}`,
  );
}

/** What counts of a step: the length that split() expects does not, so that its items are those of pick(). */
function countingOf(step: PartStep): unknown {
  if (typeof step !== 'object') return step;
  if ('by' in step) return step.by;
  return 'item' in step ? step.item : step.call.argument;
}

function referTo(step: PartStep, placeOf: PlaceOf): StepReference {
  if (typeof step !== 'object' || 'item' in step) return step;
  if ('call' in step) return { call: step.call.name };
  return { by: keyReference(step.by, placeOf) };
}

function keyReference(key: StandInObject, placeOf: PlaceOf): ValueReference {
  const reference = key[refer](placeOf);
  if (reference instanceof Instead) {
    const { value } = reference;
    if (isStandIn(value)) return keyReference(value, placeOf);
  } else if (!isLazy(reference) && !isFile(reference)) return reference;
  throw new JugqError('USAGE', `pick(): a key that stands for a value: give the value itself`);
}
