import test from 'ava';
import { apply } from '../../core/dispatch.ts';
import { Desk, published } from './dispatch-desk.ts';
import { flood, idFor } from './small-plans.ts';

test('dispatch: an unknown function: its tasks travel alone; a quick one: together, fairly shared', (t) => {
  const slow = new Desk();
  t.true(published(slow.add(flood('f', 20))).every((parcel) => parcel.length === 1));
  const quick = new Desk();
  quick.learn('f', 0.6);
  quick.tell({ kind: 'threads', threads: 5 });
  const parcels = published(quick.add(flood('f', 400)));
  t.is(parcels[0]?.length, 20);
  t.is(parcels.flat().length, 400);
  t.true(parcels.every((parcel, at) => parcel.length <= (parcels[at - 1]?.length ?? 20)));
  t.is(parcels.at(-1)?.length, 1);
});

test('dispatch: tiny tasks: no parcel of less work than a message costs, as long as there is more', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.01);
  desk.tell({ kind: 'threads', threads: 5 });
  const parcels = published(desk.add(flood('f', 60)));
  t.deepEqual(
    parcels.map((parcel) => parcel.length),
    [50, 10],
  );
});

test('dispatch: an unknown function behind hundreds of queued tasks of others: is published, a few of it', (t) => {
  const desk = new Desk();
  desk.learn('f', 1000);
  desk.add(flood('f', 200));
  const parcels = published(desk.add(flood('g', 100)));
  t.is(parcels.length, 32);
  desk.tell(...Array.from({ length: 8 }, (_, at) => desk.result(`g ${at.toString()}`, 1000)));
  t.is(desk.state.ledger.queued.get('default'), 256, 'once it is known, the window is all');
});

test('dispatch: first calls that are slow: count little for the size of parcels', (t) => {
  const desk = new Desk();
  desk.add(flood('f', 2000));
  desk.tell(...[30, 20, 0.1, 0.1].map((ms, at) => desk.result(`f ${at.toString()}`, ms)));
  const last = desk.tell(
    ...Array.from({ length: 4 }, (_, at) => desk.result(`f ${(at + 4).toString()}`, 0.1)),
  );
  t.true((published(last)[0]?.length ?? 0) >= 50);
});

test('dispatch: thousands of ready tasks: published bit by bit, with turns for others between', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.01);
  const run = desk.run(flood('f', 2000));
  const first = apply(desk.state, [{ kind: 'run-added', run }], desk.now);
  t.is(first.at(-1)?.kind, 'go-on');
  t.true(published(first).flat().length < 700);
  const rest = published(desk.tell({ kind: 'tick' }));
  t.is(published(first).flat().length + rest.flat().length, 2000);
});

test('dispatch: a function of two milliseconds: fifteen tasks a parcel', (t) => {
  const desk = new Desk();
  desk.learn('f', 2);
  t.is(published(desk.add(flood('f', 200)))[0]?.length, 15);
});

test('dispatch: durations seen in results: the function becomes quick, and its parcels say so', (t) => {
  const desk = new Desk();
  const parcels = desk.add(flood('f', 20));
  t.true(parcels.every((each) => each.kind === 'publish' && !each.quick));
  desk.tell(...Array.from({ length: 8 }, (_, at) => desk.result(`f ${at.toString()}`, 0.1)));
  const more = desk.add(flood('f', 60));
  t.true(more.every((each) => each.kind !== 'publish' || each.quick));
  t.true(published(more).some((parcel) => parcel.length > 1));
});

test('dispatch: large arguments: a parcel stays far below the size of a message', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.01);
  const parcels = published(desk.add(flood('f', 1000), { argumentBytes: 60_000 }));
  t.is(Math.max(...parcels.map((parcel) => parcel.length)), 4);
});

test('dispatch: a task that failed before: travels alone', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.01);
  const retry = { revision: 7, kind: 'retry', attempt: 1, dueAt: 0, expects: 0 } as const;
  const parcels = published(desk.add(flood('f', 100), {}, { failures: [[3, retry]] }));
  t.deepEqual(
    parcels.find((parcel) => parcel.includes(idFor('f 3'))),
    [idFor('f 3')],
  );
});

test('dispatch: more ready tasks than the window: as many are published, and one more for each that ends', (t) => {
  const desk = new Desk();
  desk.learn('f', 1000);
  t.is(published(desk.add(flood('f', 300))).length, 256);
  t.is(published(desk.tell(desk.result('f 0'), desk.result('f 1'))).length, 2);
});

test('dispatch: many threads and quick tasks: a wider window, with an end', (t) => {
  const desk = new Desk();
  desk.learn('f', 10);
  desk.tell({ kind: 'threads', threads: 5 });
  const wide = published(desk.add(flood('f', 1500))).flat().length;
  t.true(wide >= 1000 && wide < 1000 + 3);
  const most = new Desk();
  most.learn('f', 0.05);
  t.true(published(most.add(flood('f', 9000))).flat().length < 8192 + 100);
});

test('dispatch: a full window of one queue: keeps nobody from another', (t) => {
  const desk = new Desk();
  const instructions = desk.add({ ...flood('f', 300), ...flood('g', 3) }, { queues: { f: 'gpu' } });
  t.is(
    published(instructions)
      .flat()
      .filter((id) => id.startsWith('g.')).length,
    3,
  );
});

test('dispatch: two runs: publish in turn', (t) => {
  const desk = new Desk();
  desk.learn('f', 1000);
  desk.learn('g', 1000);
  const both = [desk.run(flood('f', 300)), desk.run(flood('g', 300))];
  const first = published(desk.tell(...both.map((run) => ({ kind: 'run-added', run }) as const)));
  t.is(first.flat().filter((id) => id.startsWith('g.')).length, 128);
});

test('dispatch: a function that has only failed: its window is no longer that of an unknown one, its parcels stay small', (t) => {
  const desk = new Desk();
  desk.tell({ kind: 'threads', threads: 2 });
  const before = published(desk.add(flood('f', 2000)));
  t.true(before.every((parcel) => parcel.length === 1));
  t.is(before.length, 32);
  const failures = Array.from({ length: 8 }, (_, at) =>
    desk.failure(`f ${at.toString()}`, { ms: 0.1 }),
  );
  const after = desk.tell(...failures);
  t.is(published(after)[0]?.length, 16);
  t.true(published(after).flat().length > 1900);
  t.true(after.every((each) => each.kind !== 'publish' || !each.quick));
});

test('dispatch: a function that fails at once and finishes slowly: sized by what finishes', (t) => {
  const desk = new Desk();
  desk.add(flood('f', 2000));
  desk.tell(
    desk.result('f 0', 5000),
    ...Array.from({ length: 20 }, (_, at) => desk.failure(`f ${(at + 1).toString()}`, { ms: 0.1 })),
  );
  const more = published(desk.tell({ kind: 'tick' }));
  t.true(more.every((parcel) => parcel.length === 1));
});
