import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { stretchesOf } from '../../core/chunk-choice.ts';
import { cut, equalChunks, stretchedChunks } from '../../core/chunks.ts';

function items(length: number): number[] {
  return Array.from({ length }, (_, at) => at);
}

test('stretches: each as long as all before it, from 32 items on', (t) => {
  t.deepEqual(stretchesOf(0), []);
  t.deepEqual(stretchesOf(32), [0]);
  t.deepEqual(stretchesOf(33), [0, 32]);
  t.deepEqual(stretchesOf(1000), [0, 32, 64, 128, 256, 512]);
});

const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 12, maxLength: 12 });

function chunksOf(length: number, of: readonly number[]): ReturnType<typeof stretchedChunks> {
  return stretchedChunks(
    length,
    stretchesOf(length).map((start, at) => ({ start, size: of[at] ?? 1 })),
  );
}

testProp(
  'chunks: all items once, in order; each is in the chunk that says so',
  [fc.integer({ min: 0, max: 1500 }), sizes],
  (t, length: number, of: number[]) => {
    for (const chunks of [equalChunks(length, of[0] ?? 1), chunksOf(length, of)]) {
      const cuts = cut(items(length), chunks);
      t.deepEqual(cuts.flat(), items(length));
      t.true(cuts.every((each) => each.length > 0));
      cuts.forEach((each, chunk) => {
        t.is(chunks.startOf(chunk), each[0] ?? -1);
        t.true(each.every((item) => chunks.holding(item) === chunk));
      });
    }
  },
);

testProp(
  'a list that grows keeps all chunks but the last',
  [fc.integer({ min: 1, max: 700 }), fc.integer({ min: 0, max: 700 }), sizes],
  (t, length: number, more: number, of: number[]) => {
    const before = cut(items(length), chunksOf(length, of));
    const after = cut(items(length + more), chunksOf(length + more, of));
    t.deepEqual(after.slice(0, before.length - 1), before.slice(0, -1));
  },
);
