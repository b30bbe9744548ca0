import test from 'ava';
import { JugqError } from '../../core/errors.ts';
import { matchesTask, matchingTasks, parsePatterns } from '../../core/patterns.ts';
import { idFor, planFor } from './small-plans.ts';

const hash = 'a2'.repeat(16);
const hit = (pattern: string, functionName: string): boolean =>
  matchesTask(parsePatterns([pattern]), { functionName, hash });

test('patterns: a bare word begins a name or a segment of it', (t) => {
  t.deepEqual(
    ['kmeans', 'kmeansPlus', 'lib/kmeans', 'mykmeans', 'lib-kmeans'].map((name) =>
      hit('kmeans', name),
    ),
    [true, true, true, false, false],
  );
});

test('patterns: =name is just that, /regex/ finds anywhere, and takes flags', (t) => {
  t.deepEqual([hit('=f', 'f'), hit('=f', 'ff'), hit('=f', 'a/f')], [true, false, false]);
  t.deepEqual([hit('/_[23]$/', 'sum_2'), hit('/_[23]$/', 'sum_4')], [true, false]);
  t.deepEqual(
    [hit('/SUM/gi', 'sum'), hit('/SUM/gi', 'sum'), hit('/SUM/', 'sum')],
    [true, true, false],
  );
});

test('patterns: the beginning of an id, of just that function', (t) => {
  t.deepEqual(
    [hit('f.a2a', 'f'), hit('f.a2b', 'f'), hit('f.a2a', 'ff'), hit(`f.${hash}`, 'f')],
    [...[true, false, false, true]],
  );
});

test('patterns: tasks of a graph, in their order, each once', (t) => {
  const { graph } = planFor({ 'f a': [], 'g b': [], 'f c': [], 'h d': [] });
  t.deepEqual(matchingTasks(graph, parsePatterns(['h', 'f', '=f'])), [0, 2, 3]);
  const [, short] = idFor('f c').split('.');
  t.deepEqual(matchingTasks(graph, parsePatterns([`f.${short?.slice(0, 8) ?? ''}`])), [2]);
});

test('patterns: what cannot be read is refused, with the forms that there are', (t) => {
  for (const pattern of ['', '=', 'a b', '/(/', 'f.A1', '=a b', 'f*']) {
    const error = t.throws(() => parsePatterns([pattern]), { instanceOf: JugqError });
    t.is(error.code, 'USAGE');
    t.regex(error.message, /=name, \/regex\//);
  }
});
