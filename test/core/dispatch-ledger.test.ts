import test from 'ava';
import { Desk, factsOf, ids, published, withdrawn } from './dispatch-desk.ts';
import { flood, idFor } from './small-plans.ts';

test('dispatch: planned again with mended code: the older message is withdrawn, the newer published', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] }, { code: 'old' });
  const added = desk.add({ 'f a': [] }, { code: 'new' });
  t.deepEqual(withdrawn(added), [idFor('f a')]);
  const again = desk.tell({ kind: 'withdrawn', head: idFor('f a'), queue: 'default' });
  t.deepEqual(
    again.map((each) => each.kind === 'publish' && each.run.plan.code),
    ['new'],
  );
});

test('dispatch: planned again with the same code: what is queued stays', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  t.deepEqual(desk.add({ 'f a': [] }), []);
});

test('dispatch: planned again into another queue: the message moves', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  const added = desk.add({ 'f a': [] }, { queues: { f: 'gpu' } });
  t.deepEqual(added, [{ kind: 'withdraw', head: idFor('f a'), queue: 'default', recall: 'idle' }]);
});

test('dispatch: planned again with other code, the function itself as it was: what has begun may stay', (t) => {
  const place = { head: idFor('f a'), queue: 'default' };
  for (const [fingerprint, recall] of [
    ['same', 'idle'],
    ['mended', 'none'],
  ] as const) {
    const desk = new Desk();
    desk.add({ 'f a': [] }, { code: 'old', fingerprint: 'same' });
    const added = desk.add({ 'f a': [] }, { code: 'new', fingerprint });
    t.deepEqual(added, [{ kind: 'withdraw', ...place, recall }]);
  }
});

test('dispatch: two runs that disagree on what a task takes: it is published as the newest has it that can run it', (t) => {
  const desk = new Desk();
  desk.add({ 'f short': [], 'g use': ['f short'] }, { code: 'old' });
  desk.add({ 'f long': [], 'g use': ['f long'] }, { code: 'new' });
  const out = desk.tell(desk.result('f short'));
  t.deepEqual(published(out), ids('g use'));
  t.deepEqual(
    factsOf(out)?.inputs.map((each) => each.id),
    [idFor('f short')],
  );
  // And there it stays when plans are compared again.
  t.deepEqual(withdrawn(desk.add({ 'f other': [] }, { code: 'new' })), []);
});

test('dispatch: a compound that the newest run has not expanded: published as an older one has it', (t) => {
  const desk = new Desk();
  const both = { 'f a': [], 'f b': [], 'c both': ['f a', 'f b'] };
  const results = [1, 2, 3].map((revision, task) => ({ task, revision, present: true }));
  desk.add({ ...both, 'f slow': [] }, {}, { results });
  const there = [{ task: 0, revision: 3, present: true }];
  desk.add({ 'c both': [], 'f slow': [] }, { open: [0] }, { results: there });
  const marker = { kind: 'result', id: idFor('c both'), revision: 9, present: false } as const;
  const out = desk.tell(marker);
  t.deepEqual(published(out), ids('c both'));
  t.is(factsOf(out)?.inputs.length, 2);
});

test('dispatch: take-over with two runs in any order: the newest code in the queue stays, older is replaced', (t) => {
  const sketch = { 'f a': [], 'f b': [] };
  for (const order of [
    [0, 1],
    [1, 0],
  ]) {
    const desk = new Desk();
    const runs = [desk.run(sketch, { code: 'old' }), desk.run(sketch, { code: 'new' })];
    const found = ['old', 'new'].map((code, at) => {
      const head = idFor(at === 0 ? 'f a' : 'f b');
      const tasks = [{ id: head, expects: 0 }];
      return { kind: 'found', head, queue: 'default', code, tasks } as const;
    });
    const added = order.flatMap((at) => {
      const run = runs[at];
      return run === undefined ? [] : [{ kind: 'run-added', run } as const];
    });
    const instructions = desk.tell(...found, ...added);
    t.deepEqual([withdrawn(instructions), published(instructions)], [[idFor('f a')], []]);
  }
});

test('dispatch: a newer run that knows of a result already: the older run does not publish the task over it', (t) => {
  const desk = new Desk();
  desk.state.heldUntil = 2000;
  desk.add({ 'f a': [], 'f b': ['f a'] });
  const results = [{ task: 0, revision: 20, present: true }];
  desk.add({ 'f a': [], 'f c': ['f a'] }, {}, { results });
  desk.now = 2000;
  t.deepEqual(published(desk.tell({ kind: 'tick' })), ids('f b', 'f c'));
});

test('dispatch: a run that is cancelled: only what nobody else needs is withdrawn', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': [] });
  const second = desk.run({ 'f b': [], 'f c': [] });
  desk.tell({ kind: 'run-added', run: second });
  t.deepEqual(withdrawn(desk.tell({ kind: 'run-removed', run: second.id, recall: 'all' })), [
    idFor('f c'),
  ]);
  t.deepEqual(desk.tell({ kind: 'withdrawn', head: idFor('f c'), queue: 'default' }), []);
});

test('dispatch: a cancelled run with mates of a needed task in one parcel: the message stays', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.01);
  const wide = desk.run({ 'f a': [], 'f b': [], 'f c': [], 'f d': [], 'f e': [] });
  t.is(published(desk.tell({ kind: 'run-added', run: wide }))[0]?.length, 5);
  desk.add({ 'f b': [] });
  t.false(
    withdrawn(desk.tell({ kind: 'run-removed', run: wide.id, recall: 'all' })).includes(
      idFor('f a'),
    ),
  );
});

test('dispatch: a sweep that does not find a message: its tasks are verified, and published again if they are absent', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [], 'f b': [] });
  desk.now = 2000;
  const there = [{ head: idFor('f b'), queue: 'default' }];
  const swept = desk.tell({ kind: 'swept', messages: there, readAt: 1500 });
  t.deepEqual(swept, [{ kind: 'verify', tasks: [idFor('f a')], readAt: 1500 }]);
  const absent = desk.tell({ kind: 'absent', tasks: [idFor('f a')], readAt: 1500 });
  t.deepEqual(published(absent), ids('f a'));
});

test('dispatch: a sweep of a moment before the publishing: proves nothing', (t) => {
  const desk = new Desk();
  desk.add({ 'f a': [] });
  t.deepEqual(desk.tell({ kind: 'swept', messages: [], readAt: 999 }), []);
  t.deepEqual(desk.tell({ kind: 'absent', tasks: [idFor('f a')], readAt: 999 }), []);
});

test('dispatch: a task that is verified and turns out to wait for its retry: leaves the ledger', (t) => {
  const desk = new Desk();
  const retry = { revision: 7, kind: 'retry', attempt: 1, dueAt: 1000, expects: 0 } as const;
  desk.add({ 'f a': [] }, {}, { failures: [[0, retry]] });
  desk.now = 2000;
  desk.tell({ kind: 'swept', messages: [], readAt: 1500 });
  const again = desk.tell({ kind: 'failure', id: idFor('f a'), failure: retry });
  t.deepEqual(published(again), ids('f a'));
});

test('dispatch: a message that nobody here has published: is inspected, and taken for what it is', (t) => {
  const desk = new Desk();
  desk.state.heldUntil = 5000;
  desk.add({ 'f a': [] });
  const place = { head: idFor('f a'), queue: 'default' };
  const swept = desk.tell({ kind: 'swept', messages: [place], readAt: 999 });
  t.deepEqual(swept, [{ kind: 'inspect', messages: [place] }]);
  const tasks = [{ id: idFor('f a'), expects: 0 }];
  desk.tell({ kind: 'found', ...place, code: 'code1', tasks });
  desk.now = 5000;
  t.deepEqual(desk.tell({ kind: 'tick' }), []);
});

for (const [what, found] of [
  ['older code', { code: 'older', expects: 0 }],
  ['a revision that is no longer the last', { code: 'code1', expects: 3 }],
] as const) {
  test(`dispatch: a message found with ${what}: withdrawn and published anew`, (t) => {
    const desk = new Desk();
    desk.add({ 'f a': [] });
    const place = { head: idFor('f a'), queue: 'default' };
    const tasks = [{ id: idFor('f a'), expects: found.expects }];
    const seen = desk.tell({ kind: 'found', ...place, code: found.code, tasks });
    t.deepEqual(withdrawn(seen), [idFor('f a')]);
    t.deepEqual(published(desk.tell({ kind: 'withdrawn', ...place })), ids('f a'));
  });
}

test('dispatch: a parcel refused because its head is queued alone: its mates are published', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.01);
  const [head, ...mates] = published(desk.add(flood('f', 5)))[0] ?? [];
  t.is(mates.length, 4);
  if (head === undefined) return;
  const tasks = [{ id: head, expects: 0 }];
  const found = desk.tell({ kind: 'found', head, queue: 'default', code: 'code1', tasks });
  t.deepEqual(published(found), [mates]);
});

test('dispatch: a message that no run has any use for: withdrawn when a second sweep finds it', (t) => {
  const desk = new Desk();
  const place = { head: idFor('f old'), queue: 'gpu' };
  desk.tell({ kind: 'swept', messages: [place], readAt: 1000 });
  desk.now = 1100;
  const tasks = [{ id: idFor('f old'), expects: 0 }];
  t.deepEqual(desk.tell({ kind: 'found', ...place, code: 'code1', tasks }), []);
  const second = desk.tell({ kind: 'swept', messages: [place], readAt: 4000 });
  t.deepEqual(second, [{ kind: 'withdraw', ...place, recall: 'idle' }]);
});
