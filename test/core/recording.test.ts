import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { decodeArguments } from '../../core/codec.ts';
import { argumentsOf, idOf, row } from '../../core/graph.ts';
import { topologicalOrder } from '../../core/graph-order.ts';
import { Recording } from '../../core/recording.ts';
import { currentEvaluation, task, TaskHandle, type Definition } from '../../core/task.ts';

const double = task(function double(x: number): number {
  return 2 * x;
});

const wrap: Definition = {
  name: 'wrap',
  run: (x: unknown) => x,
  sources: [(x: unknown) => x],
  retries: 0,
  timeoutMs: undefined,
  keep: true,
  queue: 'default',
  version: undefined,
  declaredAt: 'here',
};

/** Calls that are recorded. */
function recorded<T>(recording: Recording, declare: () => T): T {
  return currentEvaluation.run({ definitions: new Map(), recorder: recording }, declare);
}

test('recording: an open compound is in the graph, alone, without arguments', (t) => {
  const recording = new Recording();
  const { declared, isNew } = recording.declareCompound(wrap, [1]);
  t.true(isNew);
  t.false(recording.declareCompound(wrap, [1]).isNew);
  const { graph, open, isMoved } = recording.snapshot();
  t.deepEqual([graph.count, open, isMoved], [1, [declared.position], false]);
});

test('recording: a compound moves behind what it is made of, and hands its structure on', (t) => {
  const recording = new Recording();
  const { declared } = recording.declareCompound(wrap, [1]);
  const outer = recorded(recording, () => double(new TaskHandle(wrap, declared) as never));
  const inner = recorded(recording, () => [double(4), double(5)]);
  recording.fillCompound(declared, { inner });
  const { graph, open, isMoved, positionOf } = recording.snapshot();
  t.deepEqual([open, isMoved], [[], true]);
  const place = positionOf(declared.position);
  t.is(idOf(graph, place), declared.id);
  const ids = [...row(graph.dependencies, place)].map((each) => idOf(graph, each));
  t.deepEqual(
    ids,
    inner.map((each) => each.id),
  );
  const args = decodeArguments(argumentsOf(graph, place), (reference) => reference);
  t.deepEqual(args, [{ inner: [0, 1] }]);
  const behind = Array.from({ length: graph.count }, (_, at) => at).find(
    (at) => idOf(graph, at) === outer.id,
  );
  t.deepEqual([...row(graph.dependencies, behind ?? -1)], [place]);
  t.true(place < (behind ?? -1));
});

test('recording: a compound that consists of itself: an error that names it', (t) => {
  const recording = new Recording();
  const { declared } = recording.declareCompound(wrap, [1]);
  recording.fillCompound(declared, [new TaskHandle(wrap, declared)]);
  const error = t.throws(() => recording.snapshot());
  t.regex(error.message, /compound wrap\.[a-z2-7]{32} consists of itself/);
});

test('recording: a chain that was declared without a recording, longer than any stack: has its ids', (t) => {
  const length = 20_000;
  const chained = (): TaskHandle => {
    let last: unknown = 0;
    for (let at = 0; at < length; at++) last = double(last as number);
    return last as TaskHandle;
  };
  const late = chained();
  const recording = new Recording();
  const { dependencies } = recording.write([late]);
  const planned = new Recording();
  const early = recorded(planned, chained);
  t.deepEqual(
    dependencies.map((each) => recording.idAt(each)),
    [early.id],
  );
});

testProp(
  'order: every task after its dependencies, each once; a circle is found',
  [fc.array(fc.array(fc.nat(11), { maxLength: 3 }), { minLength: 1, maxLength: 12 })],
  (t, sketch) => {
    const dependencies = sketch.map((each) => each.filter((task) => task < sketch.length));
    const order = topologicalOrder(sketch.length, (each) => dependencies[each] ?? []);
    if (!(order instanceof Uint32Array)) {
      const { inCircle } = order;
      const seen = new Set<number>();
      const open = [...(dependencies[inCircle] ?? [])];
      for (let each = open.pop(); each !== undefined; each = open.pop()) {
        if (seen.has(each)) continue;
        seen.add(each);
        open.push(...(dependencies[each] ?? []));
      }
      t.true(seen.has(inCircle));
      return;
    }
    const place = new Map([...order].map((each, at) => [each, at]));
    t.is(place.size, sketch.length);
    dependencies.forEach((each, at) => {
      for (const dependency of each) t.true((place.get(dependency) ?? 0) < (place.get(at) ?? -1));
    });
  },
);

test('recording: a large argument that several tasks take: stored once, and no id differs', (t) => {
  const take = task('take', (x: unknown, y: number): unknown => [x, y]);
  const table = { rows: Array.from({ length: 20_000 }, (_, row) => row + 0.5) };
  const recording = new Recording();
  const taken = recorded(recording, () => [1, 2, 3].map((y) => take(table, y)));
  const alone = [1, 2, 3].map((y) => recorded(new Recording(), () => take(table, y)).id);
  t.deepEqual(
    taken.map((each) => each.id),
    alone,
  );
  const { graph } = recording.snapshot();
  const large = Array.from({ length: graph.count }, (_, at) => argumentsOf(graph, at).length > 1e5);
  const names = Array.from({ length: graph.count }, (_, at) => idOf(graph, at).split('.')[0]);
  t.deepEqual(names, ['take', 'jugq/literal', 'take', 'take']);
  t.deepEqual(large, [true, true, false, false]);
  t.deepEqual([...row(graph.dependencies, 3)], [1]);
});

test('recording: a large argument with a task in it, or several small ones: as they are', (t) => {
  const take = task('take', (x: unknown, y: number): unknown => [x, y]);
  const recording = new Recording();
  recorded(recording, () => {
    const large = Array.from({ length: 20_000 }, (_, at) => at + 0.5);
    const small = Array.from({ length: 5000 }, (_, at) => at + 0.5);
    for (const y of [1, 2]) {
      take([double(1), large], y);
      take(double, y);
      take(small, y);
    }
  });
  t.is(recording.count, 7);
});

test('recording: a task of 200,000 tasks that were called outside of it: all are declared', (t) => {
  const leaves = Array.from({ length: 200_000 }, (_, x) => double(x));
  const all = task(function all(xs: readonly number[]): number {
    return xs.length;
  })(leaves);
  const recording = new Recording();
  recorded(recording, () => double(all));
  t.is(recording.snapshot().graph.count, 200_002);
});
