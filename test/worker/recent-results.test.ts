import test from 'ava';
import { idFor } from '../kit/project.ts';
import { RecentResults } from '../../worker/recent-results.ts';

const one = (revision: number, bytes = 1) => ({ revision, bytes: new Uint8Array(bytes) });

test('recent results: the newest revision of an id is the one that is there', (t) => {
  const results = new RecentResults();
  results.set(idFor('f', 1), one(1));
  results.set(idFor('f', 1), one(2));
  t.is(results.get(idFor('f', 1))?.revision, 2);
  results.clear();
  t.is(results.get(idFor('f', 1)), undefined);
});

test('recent results: within 64 MiB, what is asked for stays and the oldest goes', (t) => {
  const results = new RecentResults();
  const megabyte = 1024 * 1024;
  for (let n = 0; n < 200; n++) {
    results.set(idFor('f', n), one(n, megabyte));
    t.is(results.get(idFor('f', 0))?.revision, 0);
  }
  const there = Array.from({ length: 200 }, (_, n) => results.get(idFor('f', n))?.revision);
  t.is(there[199], 199);
  t.true(there.filter((each) => each !== undefined).length <= 64);
});

test('recent results: a million tiny ones are not kept', (t) => {
  const results = new RecentResults();
  for (let n = 0; n < 1_000_000; n++) results.set(`f.${n.toString()}` as never, one(n, 1));
  let count = 0;
  for (let n = 0; n < 1_000_000; n++) if (results.get(`f.${n.toString()}` as never)) count++;
  t.true(count < 300_000, count.toString());
});

test('recent results: one that is larger than 4 MiB is not kept', (t) => {
  const results = new RecentResults();
  results.set(idFor('f', 1), one(1, 4 * 1024 * 1024 + 1));
  t.is(results.get(idFor('f', 1)), undefined);
});
