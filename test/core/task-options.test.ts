import test from 'ava';
import { map, mapReduce, reduce } from '../../core/map.ts';
import { compound } from '../../core/planning.ts';
import { Recording } from '../../core/recording.ts';
import { currentEvaluation, task } from '../../core/task.ts';

function add(a: number, b: number): number {
  return a + b;
}

/** As in plain JavaScript, where no compiler has looked. */
function made(options: unknown): unknown {
  return task('f', add, options as never);
}

const refused: readonly (readonly [RegExp, () => unknown])[] = [
  [/^task f: option retries: .* from 0, got -1$/, () => made({ retries: -1 })],
  [/^task f: option timeout: .* got 'soon'$/, () => made({ timeout: 'soon' })],
  [/^task f: option timeout: .* got 0$/, () => made({ timeout: 0 })],
  [/^task f: option queue: .* got 'a b'$/, () => made({ queue: 'a b' })],
  [/^task f: option keep: .* got 1$/, () => made({ keep: 1 })],
  [/^task f: option version: .* got \{\}$/, () => made({ version: {} })],
  [/^task f: there is no option retry: there are retries, /, () => made({ retry: 3 })],
  [/^task f: expected options as an object, got 3$/, () => made(3)],
  [
    /^task add\/map: there is no option chunks: /,
    () => map(add as never, [1], { chunks: 3 } as never),
  ],
  [
    /^compound c: there is no option retries, only version: /,
    () => compound('c', add, { retries: 3 } as never),
  ],
];

for (const [message, declare] of refused) {
  test(`options: ${message.source}`, (t) => {
    const error = t.throws(
      () => currentEvaluation.run({ definitions: new Map(), recorder: new Recording() }, declare),
      { code: 'USAGE' },
    );
    t.regex(error.message, message);
  });
}

test('a name that no object can have a field of: refused', (t) => {
  for (const declare of [
    () => task('__proto__', add),
    () => compound('__proto__', add),
    () => task('a b', add),
  ])
    t.throws(declare, { code: 'FUNCTION_UNNAMED', message: /cannot name a task function/ });
  t.notThrows(() => task('toString', add));
});

test('options: how work is shared out is no option of the tasks, and passes', (t) => {
  t.notThrows(() => {
    currentEvaluation.run({ definitions: new Map(), recorder: new Recording() }, () => [
      reduce(add, [1, 2, 3], { chunk: 2, initial: 0 }),
      mapReduce(add, add as never, [1, 2], { mapChunk: 2, reduceChunk: 3, initial: 0 }),
    ]);
  });
});
