/**
 * The result of `map`: an array of parts, each of which depends on the task of its chunk alone.
 *
 * It is an array in every respect, but its items are made when they are looked at: a Proxy over an empty array of the
 * same length gives them. As an argument it stands for the array of the values.
 */
import { inspect } from 'node:util';
import type { Chunks } from './chunks.ts';
import { JugqError } from './errors.ts';
import { PartHandle } from './parts.ts';
import { describe, identify, Instead, refer } from './stand-in.ts';
import { callerLine, type Part, type StandIn, type TaskHandle } from './task.ts';

/** An array of parts of results; stands for the array of their values, too. */
export interface PartList<T> extends Omit<readonly Part<T>[], 'slice'>, StandIn<T[]> {
  /** Negative: from the end. */
  readonly [index: number]: Part<T>;
  /**
   * Some of the items.
   *
   * @param step - takes every so-many-th; negative: from the end to the beginning, as in Python
   */
  slice(start?: number, end?: number, step?: number): PartList<T>;
}

/** Which items, counted over all chunks. */
interface Range {
  readonly first: number;
  readonly step: number;
  readonly length: number;
}

/** The items of chunks, of which each is a task. */
export function partList(tasks: readonly TaskHandle[], chunks: Chunks, length: number): object {
  return new Proxy(...listOf(tasks, chunks, { first: 0, step: 1, length }));
}

function listOf(
  tasks: readonly TaskHandle[],
  chunks: Chunks,
  range: Range,
): [target: unknown[], handler: ProxyHandler<unknown[]>] {
  const itemAt = (index: number): PartHandle | undefined => {
    const at = range.first + index * range.step;
    const chunk = chunks.holding(at);
    const task = tasks[chunk];
    return task && new PartHandle(task, [at - chunks.startOf(chunk)]);
  };
  const all = (): unknown[] => Array.from({ length: range.length }, (_, index) => itemAt(index));
  const slice = (start?: number, end?: number, step = 1): object =>
    new Proxy(...listOf(tasks, chunks, within(range, { start, end, step })));
  // Beside the length nothing is there, so that the Proxy may say of each item what it likes.
  const target = hidden(new Array<unknown>(range.length), {
    slice,
    [identify]: () => ({ kind: 'value', value: all() }),
    [refer]: () => new Instead(all()),
    [describe]: () => 'the result of map()',
    [inspect.custom]: () => `PartList(${range.length.toString()})`,
  });
  return [
    target,
    {
      get: (on, key) => {
        const index = indexOf(key) ?? indexFromEnd(key, range);
        if (index === undefined) return Reflect.get(on, key) as unknown;
        return isIn(range, index) ? itemAt(index) : undefined;
      },
      has: (on, key) => {
        const index = indexOf(key);
        return index === undefined ? Reflect.has(on, key) : isIn(range, index);
      },
      getOwnPropertyDescriptor: (on, key) => {
        const index = indexOf(key);
        if (index === undefined) return Reflect.getOwnPropertyDescriptor(on, key);
        if (!isIn(range, index)) return undefined;
        return { value: itemAt(index), enumerable: true, configurable: true, writable: false };
      },
      ownKeys: (on) => [
        ...Array.from({ length: range.length }, (_, index) => index.toString()),
        ...Reflect.ownKeys(on),
      ],
      set: refuseChange,
      defineProperty: refuseChange,
      deleteProperty: refuseChange,
    },
  ];
}

/** Not to be seen by whoever lists the properties. */
function hidden(
  array: unknown[],
  properties: Readonly<Record<string | symbol, unknown>>,
): unknown[] {
  for (const key of Reflect.ownKeys(properties)) {
    Object.defineProperty(array, key, {
      value: properties[key],
      enumerable: false,
      configurable: true,
      writable: true,
    });
  }
  return array;
}

function indexOf(key: string | symbol): number | undefined {
  return typeof key === 'string' && /^(?:0|[1-9]\d*)$/.test(key) ? Number(key) : undefined;
}

/** Of `list[-1]`, as in Python; `at` does it for arrays. */
function indexFromEnd(key: string | symbol, { length }: Range): number | undefined {
  return typeof key === 'string' && /^-[1-9]\d*$/.test(key) ? Number(key) + length : undefined;
}

function isIn({ length }: Range, index: number): boolean {
  return index >= 0 && index < length;
}

/** As `slice` of arrays, and of Python where `step` is given. */
function within(
  range: Range,
  wanted: { readonly start: number | undefined; readonly end: number | undefined; step: number },
): Range {
  const { start, end, step } = wanted;
  if (!Number.isInteger(step) || step === 0) {
    throw new JugqError(
      'USAGE',
      `slice(): expected a whole step other than 0, got ${inspect(step, { depth: 0 })}: ${callerLine()}`,
    );
  }
  const { length } = range;
  const low = step > 0 ? 0 : -1;
  const clamp = (index: number): number =>
    Math.min(Math.max(index < 0 ? index + length : index, low), length + low);
  const from = start === undefined ? (step > 0 ? 0 : length - 1) : clamp(Math.trunc(start));
  const to = end === undefined ? (step > 0 ? length : -1) : clamp(Math.trunc(end));
  return {
    first: range.first + from * range.step,
    step: range.step * step,
    length: Math.max(0, Math.ceil((to - from) / step)),
  };
}

function refuseChange(): never {
  throw new JugqError(
    'TASK_USED_AS_VALUE',
    'the result of map() cannot be changed: copy it first, [...list]',
  );
}
