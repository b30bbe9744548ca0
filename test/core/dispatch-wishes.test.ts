/** What the dispatcher makes of the wishes of users: targets, an end at the first failure, a pause. */
import test from 'ava';
import { Desk, ended, ids, published, withdrawn } from './dispatch-desk.ts';
import { idFor, planFor, runFor } from './small-plans.ts';

test('dispatch: a paused run: what only it needs is taken back, and published when it goes on', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  const run = desk.run({ 'f a': [], 'f b': [], 'f c': ['f b'] });
  desk.tell({ kind: 'run-added', run });
  const paused = desk.tell({ kind: 'run-paused', run: run.id, paused: true });
  const place = { head: idFor('f b'), queue: 'default' };
  t.deepEqual(paused, [{ kind: 'withdraw', ...place, recall: 'idle' }]);
  t.deepEqual(desk.tell({ kind: 'withdrawn', ...place }), []);
  t.deepEqual(published(desk.tell({ kind: 'run-paused', run: run.id, paused: false })), ids('f b'));
});

test('dispatch: a paused run whose task had begun: its result counts, its dependents wait', (t) => {
  const desk = new Desk();
  const run = desk.run({ 'f b': [], 'f c': ['f b'] });
  desk.tell({ kind: 'run-added', run });
  desk.tell({ kind: 'run-paused', run: run.id, paused: true });
  t.deepEqual(desk.tell(desk.result('f b')), []);
  t.deepEqual(published(desk.tell({ kind: 'run-paused', run: run.id, paused: false })), ids('f c'));
});

test('dispatch: a run that ends at its first failure: the rest is taken back, nothing published', (t) => {
  const desk = new Desk();
  const sketch = { 'f a': [], 'f b': [], 'f c': ['f b'] };
  const run = runFor(1, planFor(sketch), {}, { failFast: true });
  desk.tell({ kind: 'run-added', run });
  const failed = desk.tell(desk.failure('f a', { kind: 'final' }));
  t.deepEqual([ended(failed), withdrawn(failed)], [['failed'], [idFor('f b')]]);
  t.deepEqual(desk.tell(desk.result('f b')), []);
});

test('dispatch: a run with targets: they and what they need are published, nothing else', (t) => {
  const desk = new Desk();
  const sketch = { 'f a': [], 'f b': [], 'g c': ['f a'], 'h d': ['g c'], 'h e': [] };
  const run = runFor(1, planFor(sketch), {}, { targets: ['=g'] });
  t.deepEqual(published(desk.tell({ kind: 'run-added', run })), ids('f a'));
  t.deepEqual(published(desk.tell(desk.result('f a'))), ids('g c'));
  t.deepEqual(ended(desk.tell(desk.result('g c'))), ['finished']);
});
