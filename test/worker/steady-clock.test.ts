import test from 'ava';
import { steadyClock } from '../../worker/steady-clock.ts';

test('steady clock: a clock that is set back and runs on: stands for no longer than the setting took', (t) => {
  const wall = [1000, 1010, 10, 15, 20];
  const now = steadyClock(() => wall.shift() ?? 0);
  t.deepEqual([now(), now(), now(), now(), now()], [1000, 1010, 1010, 1015, 1020]);
});

test('steady clock: a machine that slept: goes on with the time of day', (t) => {
  const wall = [1000, 9_000_000];
  const now = steadyClock(() => wall.shift() ?? 0);
  t.deepEqual([now(), now()], [1000, 9_000_000]);
});
