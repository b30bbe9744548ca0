/** What the dispatcher makes of the wishes of users: targets, an end at the first failure, a pause. */
import test from 'ava';
import { Desk, ended, ids, published, withdrawn } from './dispatch-desk.ts';
import { parsePatterns } from '../../core/patterns.ts';
import type { DispatchEvent } from '../../core/dispatch.ts';
import { state, type RunProgress } from '../../core/run-progress.ts';
import { countedApart } from '../../core/run-outlook.ts';
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

function cancelling(run: RunProgress, ...patterns: string[]): DispatchEvent {
  return { kind: 'tasks-cancelled', run: run.id, patterns: parsePatterns(patterns) };
}

test('dispatch: cancelled tasks: they and what depends on them go, what is finished stays, the rest runs', (t) => {
  const desk = new Desk();
  const sketch = {
    ...{ 'f a': [], 'f b': [], 'g a': ['f a'], 'g b': ['f b'] },
    ...{ 'h a': ['g a'], 'i a': ['h a'], 'h b': ['g b'], 'k c': [] },
  };
  const run = desk.run(sketch);
  desk.tell({ kind: 'run-added', run });
  desk.tell(desk.result('f a'), desk.result('f b'));
  desk.tell(desk.result('g a'));
  const cancelled = desk.tell(cancelling(run, '=g', 'i'));
  t.deepEqual(
    cancelled.filter((each) => each.kind === 'withdraw'),
    [{ kind: 'withdraw', head: idFor('g b'), queue: 'default', recall: 'all' }],
  );
  t.deepEqual(countedApart(run, state.cancelled), { g: 1, h: 1, i: 1 });
  t.deepEqual(desk.tell(desk.result('h a')), []);
  t.deepEqual(ended(desk.tell(desk.result('k c'))), ['cancelled']);
});

test('dispatch: cancelled tasks that another run needs go on, and end the first run as cancelled', (t) => {
  const desk = new Desk();
  const sketch = { 'f a': [], 'g a': ['f a'] };
  const run = desk.run(sketch);
  desk.tell({ kind: 'run-added', run }, { kind: 'run-added', run: desk.run(sketch) });
  const cancelled = desk.tell(cancelling(run, 'f'));
  t.deepEqual([withdrawn(cancelled), ended(cancelled)], [[], ['cancelled']]);
  t.deepEqual(published(desk.tell(desk.result('f a'))), ids('g a'));
});

test('dispatch: a finished task is invalidated after what it needs was cancelled: its run ends', (t) => {
  const desk = new Desk();
  const run = desk.run({ 'f a': [], 'g a': ['f a'], 'h a': ['g a'] });
  desk.tell({ kind: 'run-added', run });
  desk.tell(desk.result('g a'));
  desk.tell(cancelling(run, 'f'));
  t.deepEqual(ended(desk.tell(desk.marker('g a'))), ['cancelled']);
});

test('dispatch: a run that failed and has cancelled tasks has failed', (t) => {
  const desk = new Desk();
  const run = desk.run({ 'f a': [], 'g a': [] });
  desk.tell({ kind: 'run-added', run });
  desk.tell(cancelling(run, 'g'));
  t.deepEqual(ended(desk.tell(desk.failure('f a', {}))), ['failed']);
});
