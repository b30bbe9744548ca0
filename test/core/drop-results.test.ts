/** Intermediate results of functions with `keep: false`: when they go, and when they are computed again. */
import test from 'ava';
import type { Instruction } from '../../core/dispatch.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { parsePatterns } from '../../core/patterns.ts';
import { countedApart, executedAndCached } from '../../core/run-outlook.ts';
import { state } from '../../core/run-progress.ts';
import { Desk, ended, ids, published } from './dispatch-desk.ts';
import { idFor, planFor, runFor, type Sketch } from './small-plans.ts';

const passing = ['f'];
/** Two that take an intermediate result, and one intermediate result that nobody takes. */
const sketch: Sketch = { 'f a': [], 'f alone': [], 'g b': ['f a'], 'g c': ['f a'] };

function dropped(instructions: readonly Instruction[]): TaskId[] {
  return instructions.flatMap((each) => (each.kind === 'drop' ? [each.id] : []));
}

test('keep: false: dropped when the last that needs it is finished, not before; the run ends finished', (t) => {
  const desk = new Desk();
  const run = desk.run(sketch, { passing });
  desk.tell({ kind: 'run-added', run });
  desk.tell(desk.result('f a'), desk.result('f alone'));
  t.deepEqual(dropped(desk.tell(desk.result('g b'))), []);
  const last = desk.tell(desk.result('g c'));
  t.deepEqual(
    last.filter((each) => each.kind === 'drop'),
    [{ kind: 'drop', id: idFor('f a'), revision: 1 }],
  );
  t.deepEqual(ended(last), ['finished']);
  t.deepEqual(countedApart(run, state.dropped), { f: 1 });
  t.deepEqual(executedAndCached(run), { executed: 4, cached: 0 });
});

test('keep: false: a chain of them goes link by link', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': ['f a'], 'g c': ['f b'] }, { passing });
  desk.tell(desk.result('f a'));
  t.deepEqual(dropped(desk.tell(desk.result('f b'))), [idFor('f a')]);
  t.deepEqual(dropped(desk.tell(desk.result('g c'))), [idFor('f b')]);
});

test('keep: false: dropped, and planned again: nothing is missing', (t) => {
  const desk = new Desk();
  const results = [
    { task: 0, revision: 7, present: false },
    ...[1, 2, 3].map((task) => ({ task, revision: task, present: true })),
  ];
  const again = desk.add(sketch, { passing }, { results });
  t.deepEqual([published(again), ended(again)], [[], ['finished']]);
});

test('keep: false: needed again, because a dependent is invalidated: computed again and dropped again', (t) => {
  const desk = new Desk();
  desk.add({ ...sketch, 'k z': [] }, { passing });
  desk.tell(desk.result('f a'), desk.result('f alone'));
  desk.tell(desk.result('g b'), desk.result('g c'));
  desk.tell(desk.marker('f a'));
  t.deepEqual(published(desk.tell(desk.marker('g b'))), ids('f a'));
  t.deepEqual(published(desk.tell(desk.result('f a'))), ids('g b'));
  t.deepEqual(dropped(desk.tell(desk.result('g b'))), [idFor('f a')]);
});

test('keep: false: a dependent that failed, or was cancelled, needs it still', (t) => {
  const desk = new Desk();
  desk.add({ ...sketch, 'k z': [] }, { passing });
  desk.tell(desk.result('f a'), desk.result('g b'));
  t.deepEqual(dropped(desk.tell(desk.failure('g c', {}))), []);
  const other = new Desk();
  const run = other.run({ ...sketch, 'k z': [] }, { passing });
  other.tell({ kind: 'run-added', run });
  other.tell(other.result('f a'), other.result('g b'));
  const patterns = parsePatterns([idFor('g c')]);
  t.deepEqual(dropped(other.tell({ kind: 'tasks-cancelled', run: run.id, patterns })), []);
});

test('keep: false: another run that needs it, or keeps it, is waited for', (t) => {
  const desk = new Desk();
  const first = desk.run({ 'f a': [], 'g b': ['f a'], 'k z': [] }, { passing });
  const second = desk.run({ 'f a': [], 'h c': ['f a'], 'k z': [] }, { passing });
  desk.tell({ kind: 'run-added', run: first }, { kind: 'run-added', run: second });
  desk.tell(desk.result('f a'));
  t.deepEqual(dropped(desk.tell(desk.result('g b'))), []);
  t.deepEqual(dropped(desk.tell(desk.result('h c'))), [idFor('f a')]);
  const other = new Desk();
  other.add({ 'f a': [], 'g b': ['f a'], 'k z': [] }, { passing });
  other.add({ 'f a': [], 'h c': ['f a'], 'k z': [] });
  t.deepEqual(
    dropped(other.tell(other.result('f a'), other.result('g b'), other.result('h c'))),
    [],
  );
});

test('keep: false: what planning has asked for, and all in a run with targets, stays', (t) => {
  const desk = new Desk();
  desk.add(sketch, { passing, kept: [0] });
  const results = ['f a', 'f alone', 'g b', 'g c'].map((name) => desk.result(name));
  t.deepEqual(dropped(desk.tell(...results)), []);
  const other = new Desk();
  const run = runFor(9, planFor(sketch, { passing }), {}, { targets: ['=g'] });
  other.tell({ kind: 'run-added', run });
  t.deepEqual(
    dropped(other.tell(other.result('f a'), other.result('g b'), other.result('g c'))),
    [],
  );
});

test('keep: false: a result that was there before the run and is dropped by it counts as cached', (t) => {
  const desk = new Desk();
  const results = [{ task: 0, revision: 1, present: true }];
  const plan = planFor({ 'f a': [], 'g b': ['f a'] }, { passing });
  const run = { ...runFor(1, plan, { results }), basis: 1 };
  desk.tell({ kind: 'run-added', run });
  desk.tell({ kind: 'result', id: idFor('g b'), revision: 2, present: true });
  t.deepEqual(executedAndCached(run), { executed: 1, cached: 1 });
});
