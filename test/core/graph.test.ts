import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import {
  hashText,
  idOf,
  longestPaths,
  row,
  TaskIndex,
  turnRound,
  type Graph,
  type Rows,
} from '../../core/graph.ts';
import { GrowingBytes, GrowingUint32 } from '../../core/growing.ts';
import { HashIndex, wordsPerHash } from '../../core/hash-index.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { ReadyTasks } from '../../core/ready-tasks.ts';
import { flood, idFor, planFor, type Sketch } from './small-plans.ts';

const anyRows = fc.array(fc.array(fc.nat({ max: 5 }), { maxLength: 4 }), {
  minLength: 6,
  maxLength: 6,
});

function rowsOf(lists: readonly (readonly number[])[]): Rows {
  const start = [0];
  for (const list of lists) start.push((start.at(-1) ?? 0) + list.length);
  return { start: Uint32Array.from(start), items: Uint32Array.from(lists.flat()) };
}

testProp('graph: rows turned round: every pair the other way', [anyRows], (t, lists) => {
  const turned = turnRound(rowsOf(lists));
  const pairs = lists.flatMap((list, from) =>
    list.map((to) => `${to.toString()} ${from.toString()}`),
  );
  const turnedPairs = lists.flatMap((_, from) =>
    Array.from(row(turned, from), (to) => `${from.toString()} ${to.toString()}`),
  );
  t.deepEqual(turnedPairs.sort(), pairs.sort());
});

testProp('graph: rows turned round twice: each row sorted', [anyRows], (t, lists) => {
  const twice = turnRound(turnRound(rowsOf(lists)));
  t.deepEqual(
    lists.map((_, at) => [...row(twice, at)]),
    lists.map((list) => [...list].sort((a, b) => a - b)),
  );
});

const anyGraph = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 9 })
  .map((takes) => {
    const name = (at: number): string => `${at % 3 === 0 ? 'slow' : 'fast'} ${at.toString()}`;
    const sketch: Sketch = Object.fromEntries(
      takes.map((each, at) => [name(at), at === 0 ? [] : each.map((one) => name(one % at))]),
    );
    return planFor(sketch).graph;
  });

testProp('graph: longest paths: those of a walk through all paths', [anyGraph], (t, graph) => {
  const cost = graph.functions.map((each) => (each.name === 'slow' ? 10 : 1));
  const dependents = turnRound(graph.dependencies);
  const walk = (task: number): number =>
    (cost[graph.functionOf[task] ?? 0] ?? 0) +
    Math.max(0, ...Array.from(row(dependents, task), walk));
  t.deepEqual(
    [...longestPaths(graph, cost)],
    Array.from({ length: graph.count }, (_, task) => walk(task)),
  );
});

test('index: every task of a graph is found, by id and from another graph; no other is', (t) => {
  const { graph } = planFor(flood('f', 3000));
  const index = new TaskIndex(graph);
  for (let task = 0; task < graph.count; task++) t.is(index.find(idOf(graph, task)), task);
  t.is(index.find(idFor('f 3000')), -1);
  const other = planFor({ 'f 7': [], 'f none': [] }).graph;
  t.deepEqual([index.findIn(other, 0), index.findIn(other, 1)], [7, -1]);
});

test('index: text that is no hash: not found', (t) => {
  const index = new TaskIndex(planFor({ 'f a': [] }).graph);
  for (const text of ['', 'note', 'A'.repeat(32), '0'.repeat(32), `${'a'.repeat(32)}\n`]) {
    t.is(index.findHash(text), -1);
    t.is(index.find(`f.${text}` as TaskId), -1);
  }
});

test('index: hashes that begin alike: told apart, also after the table has grown', (t) => {
  const count = 4000;
  const hashes = new Uint32Array(count * wordsPerHash).fill(7);
  for (let at = 0; at < count; at++) hashes[at * wordsPerHash + 4] = at;
  const index = new HashIndex(1);
  for (let at = 0; at < count; at++) index.add(hashes, at);
  for (let at = 0; at < count; at += 97) {
    t.is(index.find(hashes, hashes, at * wordsPerHash), at);
  }
  t.is(index.find(hashes, Uint32Array.from([7, 7, 7, 7, count])), -1);
});

test('graph: ids of tasks: the function and the hash as text', (t) => {
  const { graph } = planFor({ 'f a': [], 'g b': [] });
  t.deepEqual([idOf(graph, 0), idOf(graph, 1)], [idFor('f a'), idFor('g b')]);
  t.is(hashText(graph, 1), idFor('g b').slice(2));
});

testProp(
  'ready tasks: pushed in any order: popped by remaining path, the first declared among equals',
  [
    fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 60 }),
    fc.array(fc.nat(), { minLength: 60, maxLength: 60 }),
  ],
  (t, paths, shuffle) => {
    const longest = Float32Array.from(paths);
    const ready = new ReadyTasks(longest, 1);
    const order = paths
      .map((_, task) => task)
      .sort((a, b) => (shuffle[a] ?? 0) - (shuffle[b] ?? 0));
    for (const task of order) ready.push(0, task);
    t.deepEqual([...ready.all()].sort(), [...order].sort());
    const popped: number[] = [];
    for (let task = ready.pop(0); task !== -1; task = ready.pop(0)) popped.push(task);
    const expected = paths
      .map((_, task) => task)
      .sort((a, b) => (paths[b] ?? 0) - (paths[a] ?? 0) || a - b);
    t.deepEqual(popped, expected);
    t.is(ready.peek(0), -1);
  },
);

testProp(
  'growing arrays: what was appended is there, and a copy',
  [fc.array(fc.uint8Array({ maxLength: 700 })), fc.array(fc.nat(), { maxLength: 600 })],
  (t, pieces, numbers) => {
    const bytes = new GrowingBytes();
    for (const piece of pieces) bytes.append(piece);
    t.deepEqual(Buffer.from(bytes.toArray()), Buffer.concat(pieces));
    const words = new GrowingUint32();
    for (const number of numbers) words.push(number);
    const copy = words.toArray();
    words.push(1);
    t.deepEqual([...copy], numbers);
    t.is(words.length, numbers.length + 1);
  },
);

test('graph: a view of a larger buffer: hashes are read from where they are', (t) => {
  const { graph } = planFor({ 'f a': [], 'f b': [] });
  const larger = new Uint32Array(graph.hashes.length + 3);
  larger.set(graph.hashes, 3);
  const shifted: Graph = { ...graph, hashes: larger.subarray(3) };
  t.is(idOf(shifted, 1), idFor('f b'));
  t.is(new TaskIndex(shifted).find(idFor('f b')), 1);
});
