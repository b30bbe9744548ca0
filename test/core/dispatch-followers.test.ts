import test from 'ava';
import { Desk, factsOf, ids, published, withdrawn } from './dispatch-desk.ts';
import { idFor, type PlanOptions, type Sketch } from './small-plans.ts';
import { parcelTask, type Instruction } from '../../core/dispatch.ts';

const parcel = (...names: string[]): string[] => names.map(idFor);

/** One after the other, each of `functionName`. */
function chain(functionName: string, length: number): Sketch {
  return Object.fromEntries(
    Array.from({ length }, (_, at) => [
      `${functionName} ${at.toString()}`,
      at === 0 ? [] : [`${functionName} ${(at - 1).toString()}`],
    ]),
  );
}

/** A dispatcher that knows these functions to take so many ms each. */
function deskWith(durations: Readonly<Record<string, number>>): Desk {
  const desk = new Desk();
  for (const [name, ms] of Object.entries(durations)) desk.learn(name, ms);
  return desk;
}

const pair: Sketch = { 'f a': [], 'g b': ['f a'] };

test('followers: a chain of a quick function: travels together, as much of it as fits thirty milliseconds', (t) => {
  const desk = deskWith({ f: 1 });
  const parcels = published(desk.add(chain('f', 50)));
  t.is(parcels.length, 1);
  t.is(parcels[0]?.length, 30);
  const rest = desk.tell(...Array.from({ length: 30 }, (_, at) => desk.result(`f ${at}`, 1)));
  t.is(published(rest)[0]?.[0], idFor('f 30'));
});

test('followers: what they take from their parcel has no revision, what is there has its own', (t) => {
  const desk = deskWith({ f: 1, g: 1, h: 1 });
  desk.learn('g', 30);
  t.deepEqual(
    published(desk.add({ 'g x': [], 'f a': ['g x'], 'f b': ['f a', 'g x'] })),
    ids('g x'),
  );
  const out = desk.tell(desk.result('g x', 30));
  const publish = out.find(
    (each): each is Instruction & { kind: 'publish' } => each.kind === 'publish',
  );
  const tasks = publish?.tasks.map((task) => parcelTask(publish.run, task).inputs);
  t.deepEqual(tasks, [
    [{ id: idFor('g x'), revision: 1 }],
    [
      { id: idFor('f a'), revision: 0 },
      { id: idFor('g x'), revision: 1 },
    ],
  ]);
});

test('followers: of several functions: all of them known to be quick', (t) => {
  t.deepEqual(published(deskWith({ f: 1, g: 1 }).add(pair)), [parcel('f a', 'g b')]);
  t.deepEqual(published(deskWith({ f: 1 }).add(pair)), [parcel('f a')]);
  t.deepEqual(published(deskWith({ f: 1, g: 100 }).add(pair)), [parcel('f a')]);
  t.deepEqual(published(deskWith({ f: 100, g: 1 }).add(pair)), [parcel('f a')]);
});

test('followers: of a task with thousands of dependents: none, they are for all threads', (t) => {
  const fan = (count: number): Sketch => ({
    'f a': [],
    ...Object.fromEntries(
      Array.from({ length: count }, (_, at) => [`f ${at.toString()}`, ['f a']]),
    ),
  });
  t.deepEqual(published(deskWith({ f: 0.001 }).add(fan(1001))), [parcel('f a')]);
  t.is(published(deskWith({ f: 0.001 }).add(fan(1000)))[0]?.length, 100);
});

test('followers: a task that takes something from elsewhere: waits until that is there', (t) => {
  const desk = deskWith({ f: 1, g: 100 });
  const parcels = published(desk.add({ 'f a': [], 'g x': [], 'f b': ['f a', 'g x'] }));
  t.deepEqual(parcels.flat().sort(), parcel('f a', 'g x').sort());
  t.deepEqual(published(desk.tell(desk.result('f a', 1))), []);
  t.deepEqual(published(desk.tell(desk.result('g x', 100))), ids('f b'));
});

test('followers: of many that could run side by side: one, and what costs no more than a hop', (t) => {
  const fan = Object.fromEntries(
    Array.from({ length: 20 }, (_, at) => [`f ${at.toString()}`, ['f a']]),
  );
  const slow = published(deskWith({ f: 1 }).add({ 'f a': [], ...fan }));
  t.deepEqual(
    slow.map((each) => each.length),
    [2],
  );
  const tiny = published(deskWith({ f: 0.05 }).add({ 'f a': [], ...fan }));
  t.deepEqual(
    tiny.map((each) => each.length),
    [21],
  );
});

for (const [what, options] of [
  ['another queue', { queues: { g: 'gpu' } }],
  ['a timeout', { timeouts: { g: 1000 } }],
] as const satisfies readonly (readonly [string, PlanOptions])[]) {
  test(`followers: a function with ${what}: its tasks have messages of their own`, (t) => {
    t.deepEqual(published(deskWith({ f: 1, g: 1 }).add(pair, options)), [parcel('f a')]);
  });
}

test('followers: a task that failed before: travels alone', (t) => {
  const desk = deskWith({ f: 1, g: 1 });
  const failure = { revision: 1, kind: 'strike', attempt: 1, dueAt: 0, expects: 0 } as const;
  t.deepEqual(published(desk.add(pair, {}, { failures: [[1, failure]] })), [parcel('f a')]);
});

test('followers: the task that they take fails: they are not believed queued any more', (t) => {
  const desk = deskWith({ f: 1, g: 1, h: 1 });
  desk.add({ 'f a': [], 'g b': ['f a'], 'h c': ['g b'], 'f z': [] }, { retries: 1 });
  t.is(desk.state.ledger.entries.size, 4);
  desk.tell(desk.failure('f a', { kind: 'retry', dueAt: desk.now + 100 }));
  t.deepEqual([...desk.state.ledger.entries.keys()], parcel('f z'));
  desk.now += 200;
  t.deepEqual(published(desk.tell({ kind: 'tick' })), ids('f a'), 'what failed travels alone');
  t.deepEqual(published(desk.tell(desk.result('f a', 1))), [parcel('g b', 'h c')]);
});

test('followers: a marker on what they take: the message is withdrawn as a whole', (t) => {
  const desk = deskWith({ f: 1, g: 1 });
  desk.add(pair);
  const out = desk.tell(desk.marker('f a'));
  t.deepEqual(withdrawn(out), parcel('f a'));
  const again = desk.tell({ kind: 'withdrawn', head: idFor('f a'), queue: 'default' });
  t.deepEqual(published(again), [parcel('f a', 'g b')]);
  t.is(factsOf(again)?.expects, 1);
});

test('followers: a message that another dispatcher has published: stays, with those that follow in it', (t) => {
  const desk = deskWith({ f: 1, g: 1 });
  const run = desk.run(pair);
  const tasks = parcel('f a', 'g b').map((id) => ({
    id: id as ReturnType<typeof idFor>,
    expects: 0,
  }));
  const found = { head: idFor('f a'), queue: 'default', code: 'code1', tasks };
  const out = desk.tell({ kind: 'found', ...found }, { kind: 'run-added', run });
  t.deepEqual([published(out), withdrawn(out)], [[], []]);
});

test('followers: a message with one that waits for a task which is not in it: is withdrawn', (t) => {
  const desk = deskWith({ f: 1, g: 1 });
  const run = desk.run(pair);
  const found = { head: idFor('g b'), queue: 'default', code: 'code1' };
  const tasks = [{ id: idFor('g b'), expects: 0 }];
  const out = desk.tell({ kind: 'found', ...found, tasks }, { kind: 'run-added', run });
  t.deepEqual(withdrawn(out), parcel('g b'));
});

test('followers: a message was taken apart: nothing follows in parcels of its functions for a while', (t) => {
  const desk = deskWith({ f: 1, g: 1 });
  desk.add(pair);
  desk.tell({ kind: 'taken-apart', head: idFor('f a'), queue: 'default' });
  t.deepEqual(published(desk.add(chain('f', 3))), ids('f 0'));
  desk.tell(...Array.from({ length: 200 }, (_, at) => desk.result(`f 0${at.toString()}`, 1)));
  desk.add(Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`f x${at.toString()}`, []])));
  desk.tell(...Array.from({ length: 200 }, (_, at) => desk.result(`f x${at.toString()}`, 1)));
  t.is(desk.state.struck.get('f'), undefined);
  t.is(desk.state.struck.get('g'), 200);
});

test('followers: a run that its first failure ends: none follows', (t) => {
  const desk = deskWith({ f: 1, g: 1 });
  const run = { ...desk.run(pair), failFast: true };
  t.deepEqual(published(desk.tell({ kind: 'run-added', run })), [parcel('f a')]);
});
