import test from 'ava';
import type { TaskId } from '../../core/identifiers.ts';
import { Desk, ended, factsOf, ids, published, withdrawn } from './dispatch-desk.ts';
import { flood, idFor } from './small-plans.ts';

test('dispatch: a chain: each task is published when the one before it has its result', (t) => {
  const desk = new Desk();
  t.deepEqual(published(desk.add({ 'f a': [], 'f b': ['f a'], 'f c': ['f b'] })), ids('f a'));
  t.deepEqual(published(desk.tell(desk.result('f a'))), ids('f b'));
  t.deepEqual(published(desk.tell({ kind: 'tick' })), []);
  t.deepEqual(published(desk.tell(desk.result('f b'))), ids('f c'));
  t.deepEqual(ended(desk.tell(desk.result('f c'))), ['finished']);
});

test('dispatch: a tree: all that one result frees is published at once', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': ['f a'], 'f c': ['f a'], 'f d': ['f b'] });
  t.deepEqual(published(desk.tell(desk.result('f a'))), ids('f b', 'f c'));
});

test('dispatch: a fan-in: waits for the last of its inputs, and names the revision of each', (t) => {
  const desk = new Desk();
  const inputs = ['f a', 'f b', 'f c'];
  desk.add({ 'f a': [], 'f b': [], 'f c': [], 'g sum': inputs });
  t.deepEqual(published(desk.tell(desk.result('f c'), desk.result('f a'))), []);
  const last = desk.tell(desk.result('f b'));
  t.deepEqual(published(last), ids('g sum'));
  t.deepEqual(
    factsOf(last)?.inputs.map((each) => each.revision),
    [2, 3, 1],
  );
});

test('dispatch: a plan whose results are all there: over at once, nothing published', (t) => {
  const desk = new Desk();
  const results = [{ task: 0, revision: 5, present: true }];
  const instructions = desk.add({ 'f a': [] }, {}, { results });
  t.deepEqual([published(instructions), ended(instructions)], [[], ['finished']]);
});

test('dispatch: the longest remaining path goes first, the order of declaration among equals', (t) => {
  const desk = new Desk();
  const sketch = { 'f a': [], 'f b': [], 'g c': [], 'f d': ['g c'], 'f e': ['f d'] };
  t.deepEqual(published(desk.add(sketch)), ids('g c', 'f a', 'f b'));
});

test('dispatch: a task that failed for good: dependents are blocked, the rest goes on, the run has failed', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': ['f a'], 'f c': [] });
  t.deepEqual(desk.tell(desk.failure('f a', { kind: 'final' })), []);
  t.deepEqual(ended(desk.tell(desk.result('f c'))), ['failed']);
});

test('dispatch: a result that comes after the failure: the record is cleared and dependents go', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': ['f a'], 'f c': [] });
  desk.tell(desk.failure('f a', { kind: 'final', revision: 7 }));
  const instructions = desk.tell(desk.result('f a'));
  t.deepEqual(instructions[0], { kind: 'clear-failure', id: idFor('f a'), revision: 7 });
  t.deepEqual(published(instructions), ids('f b'));
});

test('dispatch: a failure that comes after the result: the record is cleared, the task stays finished', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': [] });
  desk.tell(desk.result('f a'));
  const instructions = desk.tell(desk.failure('f a', { kind: 'final', revision: 7 }));
  t.deepEqual(instructions, [{ kind: 'clear-failure', id: idFor('f a'), revision: 7 }]);
});

test('dispatch: a run with a failure record beside a result: the record is cleared when it is loaded', (t) => {
  const desk = new Desk();
  const results = [{ task: 0, revision: 5, present: true }];
  const failure = { revision: 7, kind: 'strike', attempt: 1, dueAt: 0, expects: 0 } as const;
  const instructions = desk.add({ 'f a': [] }, {}, { results, failures: [[0, failure]] });
  t.deepEqual(instructions[0], { kind: 'clear-failure', id: idFor('f a'), revision: 7 });
});

test('dispatch: a retry: published when it is due and not before, as the next attempt', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] }, { retries: 1 });
  const retry = desk.failure('f a', { kind: 'retry', attempt: 1, revision: 7, dueAt: 1500 });
  t.deepEqual(desk.tell(retry), []);
  desk.now = 1499;
  t.deepEqual(desk.tell({ kind: 'tick' }), []);
  desk.now = 1500;
  const due = desk.tell({ kind: 'tick' });
  t.deepEqual(published(due), ids('f a'));
  t.like(factsOf(due), { attempt: 2, failureExpects: 7 });
});

test('dispatch: a strike: the same attempt is still under way, and is the same when published anew', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  t.deepEqual(desk.tell(desk.failure('f a', { kind: 'strike', attempt: 2, revision: 7 })), []);
  desk.now = 2000;
  const again = desk.tell({ kind: 'absent', tasks: [idFor('f a')], readAt: 1500 });
  t.like(factsOf(again), { attempt: 2, failureExpects: 7 });
});

test('dispatch: a failed task whose record is deleted: published again as a first attempt', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': [] });
  desk.tell(desk.failure('f a', { kind: 'final', attempt: 3, revision: 7 }));
  const instructions = desk.tell(desk.failure('f a', { kind: 'none', attempt: 0, revision: 8 }));
  t.deepEqual(published(instructions), ids('f a'));
  t.like(factsOf(instructions), { attempt: 1, failureExpects: 8 });
});

test('dispatch: a failure of an attempt whose inputs were invalidated meanwhile: does not count and is cleared', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': [] });
  t.deepEqual(withdrawn(desk.tell(desk.marker('f a'))), [idFor('f a')]);
  const late = desk.tell(desk.failure('f a', { kind: 'final', revision: 7, expects: 0 }));
  t.deepEqual(late[0], { kind: 'clear-failure', id: idFor('f a'), revision: 7 });
  t.deepEqual(published(late), ids('f a'));
});

test('dispatch: a marker on a failed task: its failure is cleared, it is tried again', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': [] });
  desk.tell(desk.failure('f a', { kind: 'final', revision: 7 }));
  const instructions = desk.tell(desk.marker('f a'));
  t.deepEqual(instructions[0], { kind: 'clear-failure', id: idFor('f a'), revision: 7 });
  t.deepEqual(published(instructions), ids('f a'));
  t.deepEqual(ended(instructions), []);
});

test('dispatch: a marker on an input of a queued task: its message is withdrawn, it waits, and goes when the input is back', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': ['f a'] });
  desk.tell(desk.result('f a'));
  const lost = desk.tell(desk.marker('f a'));
  t.deepEqual(withdrawn(lost), [idFor('f b')]);
  t.deepEqual(published(lost), ids('f a'));
  t.is(factsOf(lost)?.expects, 2);
  desk.tell({ kind: 'withdrawn', head: idFor('f b'), queue: 'default' });
  const back = desk.tell(desk.result('f a'));
  t.deepEqual(published(back), ids('f b'));
  t.is(factsOf(back)?.inputs[0]?.revision, 3);
});

test('dispatch: a marker on a queued task: its message is withdrawn and published again with the revision to expect', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  const marked = desk.tell(desk.marker('f a'));
  t.deepEqual([withdrawn(marked), published(marked)], [[idFor('f a')], []]);
  const again = desk.tell({ kind: 'withdrawn', head: idFor('f a'), queue: 'default' });
  t.deepEqual(published(again), ids('f a'));
  t.is(factsOf(again)?.expects, 1);
});

test('dispatch: a task that lost an input and got it back while it was ready: once in its parcel', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.1);
  desk.state.heldUntil = 2000;
  desk.add({ 'g in': [], 'f a': ['g in'], ...flood('f', 8) });
  for (const event of [desk.result('g in'), desk.marker('g in'), desk.result('g in')]) {
    desk.tell(event);
  }
  desk.now = 2000;
  const all = published(desk.tell({ kind: 'tick' })).flat();
  t.is(all.length, new Set(all).size);
  t.is(all.length, 9);
});

test('dispatch: events that are older than what is known: change nothing', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': ['f a'] });
  const [early, late] = [desk.result('f a'), desk.marker('f a')];
  desk.tell(late, { kind: 'withdrawn', head: idFor('f a'), queue: 'default' });
  t.deepEqual(desk.tell(early), []);
  const [retry, none] = [
    desk.failure('f a', { kind: 'retry' }),
    desk.failure('f a', { kind: 'none' }),
  ];
  desk.tell(none);
  t.deepEqual(desk.tell(retry), []);
});

test('dispatch: a key of the bucket that is no task of ours: is not looked at', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  const id = 'a note of a user' as TaskId;
  t.deepEqual(desk.tell({ kind: 'result', id, revision: 1, present: true, ms: 1 }), []);
});

test('dispatch: a server without room: nothing is published for a second, then what was refused goes again', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  t.deepEqual(desk.tell({ kind: 'refused', tasks: [idFor('f a')] }), []);
  t.deepEqual(desk.add({ 'f b': [] }), []);
  desk.now += 999;
  t.deepEqual(desk.tell({ kind: 'tick' }), []);
  desk.now += 1;
  t.deepEqual(published(desk.tell({ kind: 'tick' })), ids('f a', 'f b'));
});
