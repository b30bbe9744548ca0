/**
 * `map`, `starMap`, `reduce` and `mapReduce`: many calls of a small function in few tasks.
 *
 * A task takes a chunk of the input. Its function's name begins with that of the user's function (`square/map`), and its
 * arguments are that function and the items, so equal chunks are equal tasks whatever stands around them. Order is kept:
 * a reducer need only be associative.
 */
import { inspect } from 'node:util';
import { stretchesOf } from './chunk-choice.ts';
import { cut, equalChunks, stretchedChunks, type Chunks } from './chunks.ts';
import { JugqError } from './errors.ts';
import { partList, type PartList } from './part-list.ts';
import { ConstantHandle } from './parts.ts';
import { plannerFor } from './planning.ts';
import { namedFunction, type NamedFunction } from './plain-functions.ts';
import { defineOwn } from './own-definitions.ts';
import { stageRuns } from './stages.ts';
import { isStandIn } from './stand-in.ts';
import {
  callerLine,
  declareCall,
  type Arg,
  type Definition,
  type Known,
  type Parameter,
  type Part,
  type Plain,
  type Returned,
  type TaskHandle,
  type TaskOptions,
} from './task.ts';

type Parameters<F> = Known<F, Plain<F> extends (...args: infer P) => unknown ? P : never>;
type Outcome<F> = Awaited<Returned<F>>;
type ArgList<P> = { readonly [K in keyof P]: Arg<P[K]> };
/** A function that takes two of what it returns. */
type Reducer<F> = Known<
  F,
  Plain<F> extends (a: infer A, b: infer B) => unknown
    ? Outcome<F> extends A & B
      ? unknown
      : 'a reducer returns what it takes'
    : 'a reducer takes two items'
>;
/** A function whose results a reducer takes. */
type Feeds<F, R> = Known<
  F,
  Outcome<F> extends Parameter<R> ? unknown : 'the mapper returns what the reducer takes'
>;

/** Options of all tasks of a call; where they are not given, those of the task function count. */
export type StageOptions = TaskOptions;

/** How `map`, `starMap` and `reduce` share the work out. */
export interface ChunkOptions extends StageOptions {
  /** How many items a task takes; default 4, of `reduce` 8 and at least 2. */
  readonly chunk?: number;
}

/** As `ChunkOptions`, sized by what the function took before: see `map`. */
export interface AutoChunkOptions extends StageOptions {
  readonly chunk: 'auto';
}

export interface ReduceOptions<T> extends ChunkOptions {
  /** Comes before the first item, and is the outcome where there are none. */
  readonly initial?: T;
}

export interface MapReduceOptions<T> extends StageOptions {
  /** How many items a task maps and reduces at once; default 4. */
  readonly mapChunk?: number;
  /** How many partial results a task reduces; default 8, at least 2. */
  readonly reduceChunk?: number;
  /** Comes before the first item, and is the outcome where there are none. */
  readonly initial?: T;
}

const mapChunkDefault = 4;
const reduceChunkDefault = 8;
/** Of one at a time, nothing ever becomes less. */
const reduceChunkMin = 2;

/**
 * A function of each item: an array of results, of which each depends only on the task of its chunk.
 *
 * @param f - a task function, or a named function at the top level of a module; may be async
 * @param xs - items, tasks among them; their number must be known
 * @throws JugqError `USAGE` for a bad option, and what `namedFunction` throws
 */
export function map<F extends CallableFunction>(
  f: F,
  xs: Iterable<Arg<Parameter<F>>>,
  options?: ChunkOptions,
): PartList<Outcome<F>>;
/**
 * With `chunk: 'auto'` a task takes so many items that it lasts about a second, judged by results of the function that
 * are there when these items are planned for the first time; planning them again shares them out in the same way. What is
 * added to the end of a list changes only its last chunk, and is shared out by what is known then.
 */
export function map<F extends CallableFunction>(
  f: F,
  xs: Iterable<Arg<Parameter<F>>>,
  options: AutoChunkOptions,
): Promise<PartList<Outcome<F>>>;
/** As seen from within. */
export function map(
  f: unknown,
  xs: unknown,
  options: ChunkOptions | AutoChunkOptions = {},
): unknown {
  return mapChunks({ call: 'map', f, xs, options });
}

/**
 * As `map`, for a function of several parameters: each item is a list of arguments.
 *
 * @throws JugqError as `map` does
 */
export function starMap<F extends CallableFunction>(
  f: F,
  xs: Iterable<ArgList<Parameters<F>>>,
  options?: ChunkOptions,
): PartList<Outcome<F>>;
/** With `chunk: 'auto'` as of `map`. */
export function starMap<F extends CallableFunction>(
  f: F,
  xs: Iterable<ArgList<Parameters<F>>>,
  options: AutoChunkOptions,
): Promise<PartList<Outcome<F>>>;
/** As seen from within. */
export function starMap(
  f: unknown,
  xs: unknown,
  options: ChunkOptions | AutoChunkOptions = {},
): unknown {
  return mapChunks({ call: 'starMap', f, xs, options });
}

/**
 * Folds items into one by an associative function, in a tree of tasks. Of nothing comes `initial`, or `[]` without one.
 *
 * @throws JugqError as `map` does
 */
export function reduce<F extends CallableFunction>(
  f: F & Reducer<F>,
  xs: Iterable<Arg<Parameter<F>>>,
  options?: ReduceOptions<Arg<Parameter<F>>>,
): Part<Outcome<F>>;
/** As seen from within. */
export function reduce(f: unknown, xs: unknown, options: ReduceOptions<unknown> = {}): unknown {
  const reducer = namedFunction('reduce', f);
  const chunk = chunkSize('reduce', options.chunk ?? reduceChunkDefault, reduceChunkMin);
  const items = itemsOf('reduce', xs);
  const all = 'initial' in options ? [options.initial, ...items] : items;
  if (items.length === 0) return new ConstantHandle('initial' in options ? options.initial : []);
  return reduceChunks(reducer, all, { chunk, options });
}

/**
 * `reduce` of `map`, where a task maps a chunk and reduces it at once: no result of the mapper is stored.
 *
 * @throws JugqError as `map` does
 */
export function mapReduce<R extends CallableFunction, M extends CallableFunction>(
  reducer: R & Reducer<R>,
  mapper: M & Feeds<M, R>,
  xs: Iterable<Arg<Parameter<M>>>,
  options?: MapReduceOptions<Arg<Parameter<R>>>,
): Part<Outcome<R>>;
/** As seen from within. */
export function mapReduce(
  reducer: unknown,
  mapper: unknown,
  xs: unknown,
  options: MapReduceOptions<unknown> = {},
): unknown {
  // The other functions have it, and plain JavaScript has no types to tell of the slip.
  if ('chunk' in options) {
    throw new JugqError(
      'USAGE',
      'mapReduce: there is no option chunk: there are mapChunk and reduceChunk',
    );
  }
  const last = namedFunction('mapReduce', reducer);
  const first = namedFunction('mapReduce', mapper);
  const mapChunk = chunkSize('mapReduce', options.mapChunk ?? mapChunkDefault);
  const chunk = chunkSize('mapReduce', options.reduceChunk ?? reduceChunkDefault, reduceChunkMin);
  const items = itemsOf('mapReduce', xs);
  if (items.length === 0) return new ConstantHandle('initial' in options ? options.initial : []);
  const stage = stageOf('map-reduce', [first, last], options);
  const args = [first.argument, last.argument];
  const partial = chunksOf(items, mapChunk).map((each) => declareCall(stage, [...args, each]));
  const all = 'initial' in options ? [options.initial, ...partial] : partial;
  const [only] = all;
  return all.length === 1 ? only : reduceChunks(last, all, { chunk, options });
}

function mapChunks(given: {
  readonly call: 'map' | 'starMap';
  readonly f: unknown;
  readonly xs: unknown;
  readonly options: ChunkOptions | AutoChunkOptions;
}): object {
  const { call } = given;
  const { chunk, ...options } = given.options;
  const f = namedFunction(call, given.f);
  const size = chunk === 'auto' ? undefined : chunkSize(call, chunk ?? mapChunkDefault);
  const items = itemsOf(call, given.xs);
  const stage = stageOf(call === 'map' ? 'map' : 'star-map', [f], options);
  const shareOut = (chunks: Chunks): object => {
    const tasks = cut(items, chunks).map((each) => declareCall(stage, [f.argument, each]));
    return partList(tasks, chunks, items.length);
  };
  if (size !== undefined) return shareOut(equalChunks(items.length, size));
  return autoChunks(call, { stage, f, items }).then(shareOut);
}

async function autoChunks(
  call: string,
  {
    stage,
    f,
    items,
  }: {
    readonly stage: Definition;
    readonly f: NamedFunction;
    readonly items: readonly unknown[];
  },
): Promise<Chunks> {
  const planner = plannerFor(call);
  const { name, version } = stage;
  const wish = {
    ...{ functions: [name, f.name] as const, version },
    ...{ count: items.length, otherwise: mapChunkDefault },
  };
  const stretches = stretchesOf(items.length).map(async (start) => ({
    start,
    size: await planner.chunkSize({ ...wish, start, item: items[start] }),
  }));
  return stretchedChunks(items.length, await Promise.all(stretches));
}

function reduceChunks(
  f: NamedFunction,
  items: readonly unknown[],
  { chunk, options }: { readonly chunk: number; readonly options: StageOptions },
): TaskHandle | undefined {
  const stage = stageOf('reduce', [f], options);
  let left = items;
  let tasks: TaskHandle[];
  do {
    tasks = chunksOf(left, chunk).map((each) => declareCall(stage, [f.argument, each]));
    left = tasks;
  } while (tasks.length > 1);
  return tasks[0];
}

/** The definition of a stage; the user's own task function gives what the call leaves open. */
function stageOf(
  stage: keyof typeof stageRuns,
  functions: readonly NamedFunction[],
  options: StageOptions,
): Definition {
  const name = [...functions.map((each) => each.name), stage].join('/');
  const own = { ...options };
  for (const each of ofTheCall) Reflect.deleteProperty(own, each);
  return defineOwn(
    {
      name,
      run: stageRuns[stage],
      sources: functions.map((each) => each.source),
      options: { ...optionsOf(functions), ...own },
    },
    'give both the same',
  );
}

/** Options that say how work is shared out, and are none of the tasks. */
const ofTheCall = ['chunk', 'mapChunk', 'reduceChunk', 'initial'];

/** Of the first function, which does most of the work; the versions of all count. */
function optionsOf(functions: readonly NamedFunction[]): TaskOptions {
  const [first] = functions.map((each) => each.definition);
  const versions = functions.map((each) => each.definition?.version);
  const [version] = versions;
  const versioned =
    functions.length === 1 || versions.every((each) => each === undefined)
      ? version
      : JSON.stringify(versions.map((each) => each ?? null));
  return {
    ...(first && { retries: first.retries, queue: first.queue }),
    ...(first?.timeoutMs === undefined ? {} : { timeout: first.timeoutMs }),
    ...(versioned === undefined ? {} : { version: versioned }),
  };
}

function chunkSize(call: string, size: number, min = 1): number {
  if (Number.isInteger(size) && size >= min) return size;
  throw new JugqError(
    'USAGE',
    `${call}(): expected a chunk of a whole number of items from ${min.toString()}, got ${inspect(size, { depth: 0 })}: ${callerLine()}`,
  );
}

function itemsOf(call: string, xs: unknown): readonly unknown[] {
  if (Array.isArray(xs)) return xs;
  if (typeof xs === 'object' && xs !== null && !isStandIn(xs) && Symbol.iterator in xs)
    return Array.from(xs as Iterable<unknown>);
  const mend = isStandIn(xs)
    ? 'how many items it has is not known yet: await value() of it, or split() it'
    : 'give an array';
  throw new JugqError(
    'USAGE',
    `${call}(): expected items, got ${isStandIn(xs) ? 'a task' : inspect(xs, { depth: 0 })}: ${callerLine()}: ${mend}`,
  );
}

function chunksOf(items: readonly unknown[], size: number): unknown[][] {
  return cut(items, equalChunks(items.length, size));
}
