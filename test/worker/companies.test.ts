import test from 'ava';
import type { RunId } from '../../core/identifiers.ts';
import type { Parcel, ParcelTask } from '../../core/parcel.ts';
import { idFor } from '../kit/project.ts';
import { companies } from '../../worker/companies.ts';
import type { HeldParcel } from '../../worker/held-parcels.ts';
import { ParcelEnds } from '../../worker/parcel-ends.ts';
import type { Work } from '../../worker/schedule.ts';

const fn = { name: 'f', fingerprint: 'f00d', retries: 0 };

/** A parcel of tasks that are numbered; each with the numbers of those that it takes from there. */
function parcelOf(...taken: readonly (readonly number[])[]): Parcel {
  const tasks = taken.map((numbers, at): ParcelTask => ({
    ...{ id: idFor('f', at), fn, expects: 0, failureExpects: 0, attempt: 1 },
    arguments: new Uint8Array(),
    inputs: numbers.map((number) => ({ id: idFor('f', number), revision: 0 })),
  }));
  const run = '01ARZ3NDEKTSV4RRFFQ69G5FAV' as RunId;
  return { run, code: 'c0de', quick: true, failFast: false, taken: false, tasks };
}

function endsOf(parcel: Parcel): ParcelEnds {
  const ends = ParcelEnds.of(parcel);
  if (ends === undefined) throw new Error('it has followers');
  return ends;
}

function worksOf({ tasks }: Parcel): Work[] {
  return tasks.map((task) => ({
    held: {} as HeldParcel,
    task,
    runnable: { id: task.id, attempt: 1, arguments: new Uint8Array(), inputs: [] },
    file: 'bundle.mjs',
    companions: [],
    suspect: undefined,
    alone: false,
  }));
}

test('companies: two chains and one by itself: three companies, each in order', (t) => {
  const parcel = parcelOf([], [], [], [0], [1], [3]);
  const together = companies(worksOf(parcel), endsOf(parcel)).map((leader) =>
    [leader, ...leader.companions].map((each) => each.task.id),
  );
  t.deepEqual(together, [
    [0, 3, 5].map((at) => idFor('f', at)),
    [1, 4].map((at) => idFor('f', at)),
    [idFor('f', 2)],
  ]);
});

test('companies: whoever takes from two makes one of them, dependencies first', (t) => {
  const parcel = parcelOf([], [], [0], [1], [], [2, 3], [5, 4]);
  const [only, ...others] = companies(worksOf(parcel), endsOf(parcel));
  t.deepEqual(others, []);
  const order = [only, ...(only?.companions ?? [])].map((each) => each?.task.id);
  t.is(order.length, 7);
  for (const task of parcel.tasks) {
    for (const input of task.inputs)
      t.true(order.indexOf(input.id) < order.indexOf(task.id), 'what is taken comes first');
  }
});

test('companies: a parcel without followers has no ends to wait for', (t) => {
  t.is(ParcelEnds.of(parcelOf([], [])), undefined);
  t.is(ParcelEnds.of(parcelOf([9])), undefined, 'what it takes is not in there');
});

test('ends: a follower is told the worst of what it takes, once, whenever that is known', (t) => {
  const ends = endsOf(parcelOf([], [], [0, 1], [0]));
  const told: string[] = [];
  const [two, three] = [2, 3].map((at) => ({ id: idFor('f', at) }));
  if (two === undefined || three === undefined) throw new Error('they are numbered');
  ends.whenFollowed(two, (end) => told.push(`2 ${end}`));
  ends.note(idFor('f', 0), 'accepted');
  t.deepEqual(told, []);
  ends.note(idFor('f', 1), 'other');
  ends.whenFollowed(three, (end) => told.push(`3 ${end}`));
  t.deepEqual(told, ['2 other', '3 accepted']);
});

test('ends: what had to be run again is another result to those that follow it', (t) => {
  const ends = endsOf(parcelOf([], [0]));
  ends.rerun(idFor('f', 0));
  ends.note(idFor('f', 0), 'accepted');
  ends.whenFollowed({ id: idFor('f', 1) }, (end) => {
    t.is(end, 'other');
  });
  t.plan(1);
});
