/** The array that `map` gives: like any array, but of parts. */
import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { decodeArguments } from '../../core/codec.ts';
import { argumentsOf } from '../../core/graph.ts';
import { map } from '../../core/map.ts';
import type { PartList } from '../../core/part-list.ts';
import { resolveReference, type ValueReference } from '../../core/references.ts';
import { Recording } from '../../core/recording.ts';
import { currentEvaluation, task, type Part } from '../../core/task.ts';

const same = (x: number): number => x;
const take = task('take', (x: unknown): unknown => x);

/** A list of 0, 1, … and what a task gets that takes something made of it. */
function listOf(
  length: number,
  chunk: number,
): { list: PartList<number>; taken: (x: unknown) => unknown } {
  const recording = new Recording();
  const planned = <T>(declare: () => T): T =>
    currentEvaluation.run({ definitions: new Map(), recorder: recording }, declare);
  const numbers = Array.from({ length }, (_, at) => at);
  const list = planned(() => map(same, numbers, { chunk }));
  const taken = (x: unknown): unknown => {
    const { declared } = planned(() => take(x)) as unknown as { declared: { position: number } };
    const { graph } = recording.snapshot();
    const row = graph.dependencies.items.subarray(
      graph.dependencies.start[declared.position],
      graph.dependencies.start[declared.position + 1],
    );
    const from = {
      input: (place: number) =>
        decodeArguments(argumentsOf(graph, row[place] ?? -1), () => undefined)[1],
      functionNamed: () => same,
    };
    const valueOf = (reference: unknown): unknown =>
      resolveReference(reference as ValueReference, from);
    return decodeArguments(argumentsOf(graph, declared.position), valueOf)[0];
  };
  return { list, taken };
}

/** As Python's `xs[start:end:step]`, said another way than the list does. */
function pythonSlice(
  xs: readonly number[],
  start: number | undefined,
  end: number | undefined,
  step: number,
): number[] {
  const place = (at: number): number => (at < 0 ? at + xs.length : at);
  const from = start === undefined ? (step > 0 ? 0 : xs.length - 1) : place(start);
  const to = end === undefined ? (step > 0 ? xs.length : -1) : place(end);
  const kept = [...xs.keys()].filter((at) =>
    step > 0 ? at >= from && at < to : at <= from && at > to,
  );
  const ordered = step > 0 ? kept : kept.toReversed();
  return ordered.filter((_, at) => at % Math.abs(step) === 0).flatMap((at) => xs[at] ?? []);
}

const index = fc.option(fc.integer({ min: -12, max: 12 }), { nil: undefined });

testProp(
  'list: a slice of a slice: the items that an array or Python gives',
  [
    fc.nat(10),
    fc.integer({ min: 1, max: 12 }),
    fc.array(
      fc.tuple(
        index,
        index,
        fc.integer({ min: -4, max: 4 }).filter((step) => step !== 0),
      ),
      {
        maxLength: 2,
      },
    ),
  ],
  (t, length, chunk, slices) => {
    const { list, taken } = listOf(length, chunk);
    let sliced = list;
    let expected = [...Array(length).keys()];
    for (const [start, end, step] of slices) {
      sliced = sliced.slice(start, end, step);
      expected = pythonSlice(expected, start, end, step);
    }
    t.is(sliced.length, expected.length);
    t.deepEqual(taken(sliced), expected);
    t.deepEqual(taken([...sliced]), expected);
  },
);

test('list: the methods of arrays: as of an array of the parts', (t) => {
  const { list, taken } = listOf(10, 4);
  t.true(Array.isArray(list));
  t.deepEqual(taken([list[0], list[9], list.at(-1), list[-2]]), [0, 9, 9, 8]);
  t.deepEqual(taken(list.slice(2, 5)), [2, 3, 4]);
  t.deepEqual(
    [list[10], list.at(10), list[-11], list.at(-11)],
    [undefined, undefined, undefined, undefined],
  );
  t.deepEqual(taken(list.map((each) => each)), taken(list));
  t.deepEqual(taken(list.filter((_, at) => at % 3 === 0)), [0, 3, 6, 9]);
  t.deepEqual(taken(list.flatMap((each) => [each, each]).slice(0, 4)), [0, 0, 1, 1]);
  t.deepEqual(taken([...list.entries()].slice(-1)), [[9, 9]]);
  t.deepEqual(taken(Array.from(list).toReversed().slice(0, 2)), [9, 8]);
  const [first, second, ...rest]: Part<number>[] = [...list];
  t.deepEqual(taken([second, first, rest.length]), [1, 0, 8]);
  t.deepEqual(taken([...list, ...list].length), 20);
  t.deepEqual(Object.keys(list), [...Array(10).keys()].map(String));
  t.true(9 in list);
  t.false(10 in list);
});

test('list: in objects, twice, beside items: the array stands where the list stood', (t) => {
  const { list, taken } = listOf(3, 2);
  t.deepEqual(taken({ all: list, again: [list, list[0]] }), {
    all: [0, 1, 2],
    again: [[0, 1, 2], 0],
  });
});

test('list: it is written to, or sliced by no step: errors', (t) => {
  const { list } = listOf(3, 2);
  const written = list as unknown as unknown[];
  const changes = [
    () => (written[0] = 1),
    () => written.push(1),
    () => written.reverse(),
    () => (written.length = 0),
    () => Reflect.deleteProperty(written, 0),
  ];
  for (const change of changes) {
    const error = t.throws(change, { code: 'TASK_USED_AS_VALUE' });
    t.is(error.message, 'the result of map() cannot be changed: copy it first, [...list]');
  }
  const error = t.throws(() => list.slice(0, 1, 0), { code: 'USAGE' });
  t.regex(
    error.message,
    /^slice\(\): expected a whole step other than 0, got 0: .*part-list\.test/,
  );
});
