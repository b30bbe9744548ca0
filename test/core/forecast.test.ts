import test from 'ava';
import { makespanMs, forecast } from '../../core/forecast.ts';
import { planFor } from './small-plans.ts';

const { graph } = planFor({
  'f a': [],
  'f b': ['f a'],
  'g c': ['f b'],
  'g d': ['f a'],
  'h e': ['g c', 'g d'],
});
const meanMs = [10, 100, undefined];

test('forecast: the work of all, and the longest chain by function', (t) => {
  const found = forecast({ graph, runs: () => true, meanMs });
  t.is(found.workMs, 220);
  t.is(found.criticalMs, 120);
  t.deepEqual(found.criticalPath, [
    { function: 'f', tasks: 2 },
    { function: 'g', tasks: 1 },
  ]);
});

test('forecast: what is there costs nothing and is in no chain', (t) => {
  const found = forecast({ graph, runs: (task) => task >= 2, meanMs });
  t.is(found.workMs, 200);
  t.deepEqual(found.criticalPath, [{ function: 'g', tasks: 1 }]);
});

test('forecast: nothing would run: no time, no chain', (t) => {
  const found = forecast({ graph, runs: () => false, meanMs });
  t.deepEqual(found, { workMs: 0, criticalMs: 0, criticalPath: [] });
});

test('forecast: threads share the work, and no number of them shortens the chain', (t) => {
  const found = forecast({ graph, runs: () => true, meanMs });
  t.deepEqual(
    [1, 2, 100].map((threads) => makespanMs(found, threads)),
    [220, 120, 120],
  );
});
