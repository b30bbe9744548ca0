/** Parts of results and wrapped arguments, as a recording writes them down. */
import test, { type ExecutionContext } from 'ava';
import { decodeArguments } from '../../core/codec.ts';
import { argumentsOf, functionOf, idOf, row, type Graph } from '../../core/graph.ts';
import { derive, pick, split } from '../../core/parts.ts';
import { Recording } from '../../core/recording.ts';
import { currentEvaluation, task, type Part, type Task } from '../../core/task.ts';
import { after, literal, noHash } from '../../core/wrapped.ts';

const list = task('list', (...xs: number[]): number[] => xs);
const index = task('index', (x: number): number => x);
const take = task('take', (x: unknown): unknown => x);
const inc = (x: number): number => x + 1;
const dec = (x: number): number => x - 1;

/** What a jugfile declares. */
function planned<T>(declare: () => T): { made: T; graph: Graph } {
  const recording = new Recording();
  const made = currentEvaluation.run({ definitions: new Map(), recorder: recording }, declare);
  return { made, graph: recording.snapshot().graph };
}

/** The dependencies of the last task, and its arguments with the references in them. */
function last({ graph }: { graph: Graph }): { dependencies: string[]; args: unknown[] } {
  const at = graph.count - 1;
  return {
    dependencies: [...row(graph.dependencies, at)].map((each) => functionOf(graph, each).name),
    args: decodeArguments(argumentsOf(graph, at), (reference) => ({ reference })),
  };
}

/** Whether all of these calls are one task, or all of them different ones. */
function sameTask(t: ExecutionContext, declare: () => Task<unknown>[], expected: boolean): void {
  const ids = planned(declare).made.map((each) => each.id);
  t.is(new Set(ids).size, expected ? 1 : ids.length);
}

test('pick: the task is a dependency, once for all its parts', (t) => {
  const seen = planned(() => {
    const xs = list(1, 2, 3);
    return take([pick(xs, 0), pick(xs, -1), xs]);
  });
  t.is(seen.graph.count, 2);
  const part = (step: number) => ({ reference: { of: 0, steps: [step] } });
  t.deepEqual(last(seen), {
    dependencies: ['list'],
    args: [[part(0), part(-1), { reference: 0 }]],
  });
});

test('pick by a task: both are dependencies', (t) => {
  const seen = planned(() => take(pick(list(1, 2), index(1))));
  t.deepEqual(last(seen).dependencies, ['list', 'index']);
  t.deepEqual(last(seen).args, [{ reference: { of: 0, steps: [{ by: 1 }] } }]);
});

test('pick by a part of a task: its task is a dependency, too', (t) => {
  const seen = planned(() => take(pick(list(1, 2), pick(list(1), 0))));
  t.deepEqual(last(seen).dependencies, ['list', 'list']);
  t.deepEqual(last(seen).args, [{ reference: { of: 0, steps: [{ by: { of: 1, steps: [0] } }] } }]);
});

test('pick: the path counts, not how it was picked', (t) => {
  const table = task('table', (): number[][] => [[1]]);
  sameTask(
    t,
    () => [
      take(pick(table(), 0, 1)),
      take(pick(pick(table(), 0), 1)),
      take(split(pick(table(), 0), 2)[1]),
    ],
    true,
  );
});

test('parts: other keys, kinds of keys, tasks and orders: other tasks', (t) => {
  sameTask(
    t,
    () => {
      const xs = list(1);
      const record = task('record', (): Record<string, number> => ({ 0: 1 }))();
      return [
        take(xs),
        take(pick(xs, 0)),
        take(pick(xs, 1)),
        take(pick(xs, -1)),
        take(pick(list(2), 0)),
        take(pick(record, '0')),
        take(pick(xs, index(0))),
        take(pick(xs, pick(list(0), 0))),
        take([pick(xs, 0), pick(xs, 1)]),
        take([pick(xs, 1), pick(xs, 0)]),
      ];
    },
    false,
  );
});

test('derive: the function counts by its name, in its place', (t) => {
  sameTask(
    t,
    () => {
      const x = index(1);
      return [
        take(x),
        take(derive(x, inc)),
        take(derive(x, dec)),
        take(derive(derive(x, inc), dec)),
        take(derive(derive(x, dec), inc)),
        take(derive(pick(list(1), 0), inc)),
      ];
    },
    false,
  );
});

test('derive by a task function and by the plain one of its name: the same', (t) => {
  const counted = task('inc', inc);
  sameTask(t, () => [take(derive(index(1), counted)), take(derive(index(1), inc))], true);
});

test('split: so many parts, which know how many there are to be', (t) => {
  const seen = planned(() => {
    const parts: Part<number>[] = split(list(1, 2), 2);
    t.is(parts.length, 2);
    return take(parts);
  });
  const part = (item: number) => ({ reference: { of: 0, steps: [{ item, count: 2 }] } });
  t.deepEqual(last(seen), { dependencies: ['list'], args: [[part(0), part(1)]] });
});

test('noHash: any value is the same task; what was declared first is taken', (t) => {
  sameTask(t, () => [take(noHash(3)), take(noHash(7)), take(noHash({ deep: [index(1)] }))], true);
  const seen = planned(() => take([noHash(3), 1]));
  t.deepEqual(last(seen).args, [[3, 1]]);
  sameTask(t, () => [take(noHash(3)), take(3), take([])], false);
});

test('noHash: a task in it is a dependency', (t) => {
  const seen = planned(() => take(noHash([index(1)])));
  t.deepEqual(last(seen), { dependencies: ['index'], args: [[{ reference: 0 }]] });
});

test('literal: many tasks take it: it is there once', (t) => {
  const seen = planned(() => [1, 2, 3].map((k) => take([k, literal([1, 2, 3])])));
  t.is(seen.graph.count, 4);
  t.deepEqual(last(seen), { dependencies: ['jugq/literal'], args: [[3, { reference: 0 }]] });
});

test('literal: its content counts, and that it is one', (t) => {
  sameTask(t, () => [take(literal({ a: 1, b: 2 })), take(literal({ b: 2, a: 1 }))], true);
  sameTask(t, () => [take(literal([1])), take(literal([2])), take([1])], false);
});

test('after: the value as it is; the tasks are dependencies and count', (t) => {
  const seen = planned(() => take(after({ x: 1 }, index(1), [pick(list(1), 0)])));
  t.deepEqual(last(seen), { dependencies: ['index', 'list'], args: [{ x: 1 }] });
  sameTask(
    t,
    () => [
      take(1),
      take(after(1)),
      take(after(1, index(1))),
      take(after(1, index(2))),
      take(after(2, index(1))),
    ],
    false,
  );
});

test('after: what is no task: an error', (t) => {
  for (const wrong of [1, noHash(index(1))]) {
    const error = t.throws(() => after(1, wrong as never), { code: 'USAGE' });
    t.regex(error.message, /^after\(\): expected tasks to wait for, got .*parts\.test\.ts/);
  }
});

test('a chain of parts that was declared without a recording: has its ids', (t) => {
  const chained = () => take(pick(list(1), pick(list(0), derive(index(0), inc))));
  const late = chained();
  const recording = new Recording();
  const { dependencies } = recording.write([late]);
  const { made } = planned(chained);
  t.deepEqual(
    dependencies.map((each) => recording.idAt(each)),
    [(made as Task<unknown> & { id: never }).id],
  );
});

test('a task that is declared while another is written: neither takes the place of the other', (t) => {
  const late = take(pick(list(5), 0));
  const { made, graph } = planned(() => [take([late, 1]), take([late, 2])]);
  const ids = Array.from({ length: graph.count }, (_, at) => idOf(graph, at));
  t.is(new Set(ids).size, 4);
  for (const each of made) t.true(ids.includes(each.id as never));
});

const uses: Readonly<Record<string, (x: never) => unknown>> = {
  iterated: (x: Iterable<unknown>) => [...x],
  'used in an expression or a text': (x: number) => x + 1,
  'turned into JSON': (x) => JSON.stringify({ x }),
  'asked for its property "mean"': (x: { mean: unknown }) => x.mean,
  'given a property': (x: { mean: unknown }) => (x.mean = 1),
};

const standIns: Readonly<Record<string, () => unknown>> = {
  'a task of list': () => list(1),
  'a part of a task of list': () => pick(list(1), 0),
  'a value in noHash\\(\\)': () => noHash([1]),
  'a literal\\(\\)': () => literal([1]),
  'a value in after\\(\\)': () => after([1], list(1)),
};

for (const [use, act] of Object.entries(uses)) {
  test(`a stand-in that is ${use}: an error that says what to do`, (t) => {
    for (const [what, make] of Object.entries(standIns)) {
      const error = t.throws(() => planned(() => act(make() as never)), {
        code: 'TASK_USED_AS_VALUE',
      });
      t.regex(error.message, new RegExp(`^${what} was ${use}, but its value is not there`));
    }
  });
}

test('a part is awaited, compared and shown: it is no value, and no error', async (t) => {
  const { made } = planned(() => pick(list(1), 0));
  t.is(await (made as unknown as Promise<unknown>), made as never);
  t.false((made as unknown) instanceof Promise);
});

test('parts of what is no task, by what is no key: errors that name the place', (t) => {
  const wrong: Readonly<Record<string, () => unknown>> = {
    'pick\\(\\): expected a task or a part of one, got 3': () => pick(3 as never, 0 as never),
    'pick\\(\\): expected a text, a whole number or a task as a key, got 0.5': () =>
      pick(list(1), 0.5),
    'split\\(\\): expected a whole number of items, got -1': () => split(list(1), -1),
    'derive\\(\\): expected a function, got 3': () => derive(list(1), 3 as never),
    'literal\\(\\): expected a value, got a task of list': () => literal(list(1)),
  };
  for (const [message, act] of Object.entries(wrong)) {
    const error = t.throws(() => planned(act), { code: 'USAGE' });
    t.regex(error.message, new RegExp(`^${message}: .*parts\\.test\\.ts:\\d+`));
  }
});
