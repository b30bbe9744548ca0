import test from 'ava';
import { HeardResults, type ResultNews } from '../../core/heard-results.ts';
import { idFor } from '../kit/project.ts';
import { startRandom } from './simulation/random.ts';

function newsAt(revision: number): ResultNews {
  return { id: idFor('f', revision), revision, present: true, ms: 1 };
}

interface Ear {
  readonly heard: HeardResults;
  readonly revisions: number[];
}

function listen(from: number): Ear {
  const revisions: number[] = [];
  const heard = new HeardResults(from, ({ revision }) => {
    revisions.push(revision);
  });
  return { heard, revisions };
}

test('heard results: in any order and more than once, each is handed over once and at once', (t) => {
  const { heard, revisions } = listen(3);
  for (const revision of [5, 3, 5, 2, 3, 7, 4]) heard.hear(newsAt(revision));
  t.deepEqual(revisions, [5, 3, 7, 4]);
  t.is(heard.upTo, 5);
  t.is(heard.highest, 7);
  t.true(heard.hasGap);
  heard.hear(newsAt(6));
  t.is(heard.upTo, 7);
  t.false(heard.hasGap);
});

test('heard results: what was read up to a revision is missing no longer, there or not', (t) => {
  const { heard, revisions } = listen(1);
  for (const revision of [2, 9, 11]) heard.hear(newsAt(revision));
  heard.readUpTo(8);
  t.is(heard.upTo, 9);
  t.true(heard.hasGap);
  heard.hear(newsAt(4));
  t.deepEqual(revisions, [2, 9, 11]);
  heard.readUpTo(20);
  t.is(heard.upTo, 20);
  t.is(heard.highest, 20);
  t.false(heard.hasGap);
});

test('heard results: forgotten, the first is wanted again', (t) => {
  const { heard, revisions } = listen(1);
  for (const revision of [1, 2, 5]) heard.hear(newsAt(revision));
  heard.forget();
  t.false(heard.hasGap);
  t.is(heard.highest, 0);
  heard.hear(newsAt(1));
  t.deepEqual(revisions, [1, 2, 5, 1]);
});

test('heard results: words lost, late and twice, read now and then: nothing is missed or comes twice', (t) => {
  for (let seed = 1; seed <= 300; seed++) {
    const random = startRandom(seed);
    const last = random.between(1, 60);
    const { heard, revisions } = listen(1);
    const words = Array.from({ length: last * 2 }, () => random.between(1, last));
    for (const [at, revision] of words.entries()) {
      heard.hear(newsAt(revision));
      if (!random.chance(0.05)) continue;
      const upTo = Math.min(last, at);
      for (let read = heard.upTo + 1; read <= upTo; read++) heard.hear(newsAt(read));
      heard.readUpTo(upTo);
    }
    for (let read = heard.upTo + 1; read <= last; read++) heard.hear(newsAt(read));
    const inOrder = revisions.toSorted((a, b) => a - b);
    t.deepEqual(
      inOrder,
      Array.from({ length: last }, (_, number) => number + 1),
      `seed ${seed.toString()}`,
    );
    t.is(heard.upTo, last);
    t.false(heard.hasGap);
  }
});
