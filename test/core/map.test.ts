/** How `map`, `starMap`, `reduce` and `mapReduce` share their work out. */
import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { decodeArguments } from '../../core/codec.ts';
import { argumentsOf, functionOf, row, type Graph } from '../../core/graph.ts';
import { map, mapReduce, reduce, starMap } from '../../core/map.ts';
import { pick } from '../../core/parts.ts';
import { resolveReference, type ValueReference } from '../../core/references.ts';
import { Recording } from '../../core/recording.ts';
import { stageRunOf } from '../../core/stages.ts';
import { currentEvaluation, task, type Definition, type Source } from '../../core/task.ts';

const square = (x: number): number => x * x;
const add = (a: number, b: number): number => a + b;
/** Associative, and not commutative. */
const join = (a: string, b: string): string => a + b;
const letter = (x: number): string => String.fromCodePoint(0x100 + x);
const late = async (x: number): Promise<number> => Promise.resolve(x + 1);
const double = task(function double(x: number): number {
  return 2 * x;
});
const functions: Readonly<Record<string, Source>> = { square, add, join, letter, late };

interface Planned {
  readonly graph: Graph;
  /** Tasks of each function. */
  readonly counts: Readonly<Record<string, number>>;
  /** The value that a task gets for what was planned. */
  readonly value: () => Promise<unknown>;
}

/** Declares, and computes as workers would. */
function planned(declare: () => unknown, definitions = new Map<string, Definition>()): Planned {
  const recording = new Recording();
  const made = currentEvaluation.run({ definitions, recorder: recording }, declare);
  const { bytes, dependencies } = recording.write([made]);
  const { graph } = recording.snapshot();
  const counts: Record<string, number> = {};
  for (let at = 0; at < graph.count; at++) {
    const { name } = functionOf(graph, at);
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return { graph, counts, value: () => compute(graph, bytes, dependencies) };
}

async function compute(
  graph: Graph,
  bytes: Uint8Array,
  dependencies: readonly number[],
): Promise<unknown> {
  const results: unknown[] = [];
  const resolved = (encoded: Uint8Array, inputs: ArrayLike<number>): unknown[] =>
    decodeArguments(encoded, (reference) =>
      resolveReference(reference as ValueReference, {
        input: (place) => results[inputs[place] ?? -1],
        functionNamed: (name) => functions[name] ?? ((x: number) => 2 * x),
      }),
    );
  for (let at = 0; at < graph.count; at++) {
    const run = stageRunOf(functionOf(graph, at).name) ?? ((x: unknown) => x);
    const args = resolved(argumentsOf(graph, at), row(graph.dependencies, at));
    results.push(await run(...(args as never[])));
  }
  return resolved(bytes, dependencies)[0];
}

function numbersTo(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

test('mapReduce of 10,000 numbers: 2,500 tasks that map, and 313, 40, 5, 1 that reduce', async (t) => {
  const { counts, value } = planned(() => mapReduce(add, square, numbersTo(10_000)));
  t.deepEqual(counts, { 'square/add/map-reduce': 2500, 'add/reduce': 359 });
  t.is(await value(), 333_283_335_000);
});

test('map of 10,000 numbers: 2,500 tasks, and element by element what the function gives', async (t) => {
  const { counts, value } = planned(() => map(square, numbersTo(10_000)));
  t.deepEqual(counts, { 'square/map': 2500 });
  t.deepEqual(await value(), numbersTo(10_000).map(square));
});

test('reduce of 128 numbers: what the loop gives', async (t) => {
  const { counts, value } = planned(() => reduce(add, numbersTo(128)));
  t.deepEqual(counts, { 'add/reduce': 19 });
  t.is(await value(), numbersTo(128).reduce(add));
});

test('starMap of 100 pairs: each doubled', async (t) => {
  const { counts, value } = planned(() =>
    starMap(
      add,
      numbersTo(100).map((a) => [a, a] as const),
    ),
  );
  t.deepEqual(counts, { 'add/star-map': 25 });
  t.deepEqual(
    await value(),
    numbersTo(100).map((a) => 2 * a),
  );
});

testProp(
  'any chunks of any input: order is kept, nothing is lost',
  [fc.nat(104), fc.integer({ min: 1, max: 104 }), fc.integer({ min: 2, max: 104 })],
  async (t, length, mapChunk, reduceChunk) => {
    const letters = numbersTo(length).map(letter);
    const mapped = planned(() => map(letter, numbersTo(length), { chunk: mapChunk }));
    t.is(mapped.graph.count, Math.ceil(length / mapChunk));
    t.deepEqual(await mapped.value(), letters);
    const reduced = planned(() => reduce(join, letters, { chunk: reduceChunk, initial: '>' }));
    t.is(await reduced.value(), `>${letters.join('')}`);
    const both = planned(() =>
      mapReduce(join, letter, numbersTo(length), { mapChunk, reduceChunk, initial: '>' }),
    );
    t.is(await both.value(), `>${letters.join('')}`);
  },
);

test('nothing to map or to reduce: no task; the initial value, or []', async (t) => {
  const empty: (readonly [unknown, () => unknown])[] = [
    [[], () => map(double, [])],
    [[], () => starMap(add, [])],
    [[], () => mapReduce(add, square, [])],
    [[], () => reduce(add, [])],
    [7, () => mapReduce(add, square, [], { initial: 7 })],
    [7, () => reduce(add, [], { initial: 7 })],
    [
      [7, 1],
      () => [
        reduce(add, [], { initial: 7 }),
        pick(reduce(join, [], { initial: ['a'] as never }), 'length'),
      ],
    ],
  ];
  for (const [expected, declare] of empty) {
    const { graph, value } = planned(declare);
    t.is(graph.count, 0);
    t.deepEqual(await value(), expected);
  }
});

test('one item, one chunk: one task', async (t) => {
  t.is(await planned(() => reduce(add, [3])).value(), 3);
  const { counts, value } = planned(() => mapReduce(add, square, [1, 2, 3]));
  t.deepEqual(counts, { 'square/add/map-reduce': 1 });
  t.is(await value(), 14);
});

test('an async function: each item is waited for', async (t) => {
  t.deepEqual(await planned(() => map(late, [1, 2, 3, 4, 5])).value(), [2, 3, 4, 5, 6]);
});

test('an item: it depends on the task of its chunk alone', (t) => {
  const take = task('take', (x: unknown): unknown => x);
  const { graph } = planned(() => take(map(square, numbersTo(12))[7]));
  t.is(graph.count, 4);
  t.deepEqual([...row(graph.dependencies, 3)], [1]);
});

test('equal chunks of longer inputs: the same tasks', (t) => {
  const { graph } = planned(() => [map(square, numbersTo(8)), map(square, numbersTo(12))]);
  t.is(graph.count, 3);
});

test('items that are tasks, parts and lists: dependencies of their chunk', (t) => {
  const { graph } = planned(() => map(square, [double(1), 5, ...map(double, [1, 2, 3])]));
  const chunks = numbersTo(graph.count).filter((at) => functionOf(graph, at).name === 'square/map');
  const names = chunks.map((at) =>
    [...row(graph.dependencies, at)].map((each) => functionOf(graph, each).name),
  );
  t.deepEqual(names, [['double', 'double/map'], ['double/map']]);
});

test('another iterable than an array: its items, in order', async (t) => {
  t.deepEqual(await planned(() => map(square, new Set([3, 1]))).value(), [9, 1]);
});

test('a task function: its options are those of the chunks, but where the call gives others', (t) => {
  const careful = task('careful', square, { retries: 2, timeout: '1m', queue: 'gpu' });
  const { graph } = planned(() => [
    map(careful, [1]),
    mapReduce(add, careful, [1, 2], { mapChunk: 1, retries: 5 }),
  ]);
  const options = graph.functions.map(({ name, retries, queue, timeoutMs }) => ({
    name,
    retries,
    queue,
    timeoutMs,
  }));
  t.deepEqual(options, [
    { name: 'careful/map', retries: 2, queue: 'gpu', timeoutMs: 60_000 },
    { name: 'careful/add/map-reduce', retries: 5, queue: 'gpu', timeoutMs: 60_000 },
    { name: 'add/reduce', retries: 5, queue: 'default', timeoutMs: undefined },
  ]);
});

test('a task function of another version: other tasks', (t) => {
  const definitions = new Map<string, Definition>();
  const { graph } = planned(() => {
    const first = map(task(square, { version: 1 }), [1]);
    return [first, map(task(square, { version: 2 }), [1])];
  }, definitions);
  t.is(graph.count, 2);
});

test('one function with two sets of options: an error that names both calls', (t) => {
  const error = t.throws(
    () => planned(() => [map(square, [1], { retries: 1 }), map(square, [2], { retries: 2 })]),
    { code: 'USAGE' },
  );
  t.regex(error.message, /^square\/map: two calls have different options \(retries\): .+ and .+:/);
});

test('two functions of one name: an error that names both calls', (t) => {
  const other = { square: (x: number): number => x }.square;
  const error = t.throws(() => planned(() => [map(square, [1]), map(other, [1])]), {
    code: 'FUNCTION_CLASH',
  });
  t.regex(error.message, /^two different functions are both named square\/map: .+ and .+: rename/);
});

test('chunks below one or broken, what is no list, no function: errors that name the call', (t) => {
  const wrong: (readonly [RegExp, () => unknown])[] = [
    [/^map\(\): expected a chunk of .* from 1, got 0: /, () => map(square, [1], { chunk: 0 })],
    [/^starMap\(\): .* got 1\.5: /, () => starMap(add, [[1, 2]], { chunk: 1.5 })],
    [/^reduce\(\): .* got NaN: /, () => reduce(add, [1], { chunk: NaN })],
    [/^mapReduce\(\): .* got -1: /, () => mapReduce(add, square, [1], { mapChunk: -1 })],
    [/^mapReduce\(\): .* got 0: /, () => mapReduce(add, square, [1], { reduceChunk: 0 })],
    [/^reduce\(\): .* from 2, got 1: /, () => reduce(add, [1, 2, 3], { chunk: 1 })],
    [/^mapReduce\(\): .* from 2, got 1: /, () => mapReduce(add, square, [1], { reduceChunk: 1 })],
    [/^map\(\): expected items, got 3: .*give an array/, () => map(square, 3 as never)],
    [/^map\(\): expected items, got a task: .*await value/, () => map(square, double(1) as never)],
    [/^reduce\(\): expected a function, got 3: /, () => reduce(3 as never, [])],
  ];
  for (const [message, declare] of wrong) {
    const error = t.throws(() => planned(declare), { code: 'USAGE' });
    t.regex(error.message, message);
  }
});

test('mapReduce: an option of the others is an error that names its own', (t) => {
  const add = function add(a: number, b: number): number {
    return a + b;
  };
  t.throws(() => mapReduce(add, add, [1, 2], { chunk: 2 } as never), {
    message: /^mapReduce: there is no option chunk: there are mapChunk and reduceChunk/,
  });
});
