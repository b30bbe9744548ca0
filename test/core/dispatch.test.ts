import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import {
  apply,
  parcelFacts,
  startDispatch,
  validate,
  type DispatchEvent,
  type DispatchState,
  type Instruction,
} from '../../core/dispatch.ts';
import { idOf } from '../../core/graph.ts';
import type { TaskId } from '../../core/identifiers.ts';
import type { KnownFailure, RunProgress } from '../../core/run-progress.ts';
import {
  flood,
  idFor,
  planFor,
  runFor,
  type Known,
  type PlanOptions,
  type Sketch,
} from './small-plans.ts';

/** A dispatcher with a clock that the test sets; every step is validated. */
class Desk {
  readonly state: DispatchState = startDispatch();
  now = 1000;
  #runs = 0;
  #revision = 0;

  tell(...events: DispatchEvent[]): Instruction[] {
    const instructions = apply(this.state, events, this.now);
    validate(this.state);
    return instructions;
  }

  /** A run that is not told yet. */
  run(sketch: Sketch, options?: PlanOptions, known?: Known): RunProgress {
    return runFor(++this.#runs, planFor(sketch, options), known);
  }

  add(sketch: Sketch, options?: PlanOptions, known?: Known): Instruction[] {
    return this.tell({ kind: 'run-added', run: this.run(sketch, options, known) });
  }

  result(name: string, ms?: number): DispatchEvent {
    const id = idFor(name);
    const event = { kind: 'result', id, revision: ++this.#revision, present: true } as const;
    return ms === undefined ? event : { ...event, ms };
  }

  marker(name: string): DispatchEvent {
    return { kind: 'result', id: idFor(name), revision: ++this.#revision, present: false };
  }

  failure(name: string, failure: Partial<KnownFailure>): DispatchEvent {
    const revision = ++this.#revision;
    const whole = {
      revision,
      kind: 'final',
      attempt: 1,
      dueAt: 0,
      expects: 0,
      ...failure,
    } as const;
    return { kind: 'failure', id: idFor(name), failure: whole };
  }

  /** The function becomes one that is known to be quick. */
  learn(functionName: string, meanMs: number): void {
    this.state.durations.set(functionName, { seen: 8, meanMs });
  }
}

/** Parcels that are to be published, as the ids of their tasks. */
function published(instructions: readonly Instruction[]): TaskId[][] {
  return instructions.flatMap((each) =>
    each.kind === 'publish' ? [each.tasks.map((task) => idOf(each.run.plan.graph, task))] : [],
  );
}

function withdrawn(instructions: readonly Instruction[]): TaskId[] {
  return instructions.flatMap((each) => (each.kind === 'withdraw' ? [each.head] : []));
}

function ended(instructions: readonly Instruction[]): string[] {
  return instructions.flatMap((each) => (each.kind === 'complete' ? [each.outcome] : []));
}

/** Parcel facts of the one task that is published. */
function factsOf(instructions: readonly Instruction[]): ReturnType<typeof parcelFacts> | undefined {
  const publish = instructions.find((each) => each.kind === 'publish');
  return publish && parcelFacts(publish.run, publish.tasks[0] ?? -1);
}

const ids = (...names: string[]): TaskId[][] => names.map((name) => [idFor(name)]);

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

test('dispatch: an unknown function: its tasks travel alone; a quick one: together, fairly shared', (t) => {
  const slow = new Desk();
  t.true(published(slow.add(flood('f', 20))).every((parcel) => parcel.length === 1));
  const quick = new Desk();
  quick.learn('f', 0.01);
  quick.tell({ kind: 'threads', threads: 5 });
  const parcels = published(quick.add(flood('f', 2000)));
  t.is(parcels[0]?.length, 100);
  t.is(parcels.flat().length, 2000);
  t.true(parcels.every((parcel, at) => parcel.length <= (parcels[at - 1]?.length ?? 100)));
  t.is(parcels.at(-1)?.length, 1);
});

test('dispatch: a function of two milliseconds: five tasks a parcel', (t) => {
  const desk = new Desk();
  desk.learn('f', 2);
  t.is(published(desk.add(flood('f', 200)))[0]?.length, 5);
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
  t.is(published(desk.add(flood('f', 1500))).length, 1000);
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
  t.deepEqual(added, [{ kind: 'withdraw', head: idFor('f a'), queue: 'default', recall: 'none' }]);
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
  t.deepEqual(withdrawn(desk.tell({ kind: 'run-removed', run: second.id })), [idFor('f c')]);
  t.deepEqual(desk.tell({ kind: 'withdrawn', head: idFor('f c'), queue: 'default' }), []);
});

test('dispatch: a cancelled run with mates of a needed task in one parcel: the message stays', (t) => {
  const desk = new Desk();
  desk.learn('f', 0.01);
  const wide = desk.run({ 'f a': [], 'f b': [], 'f c': [], 'f d': [], 'f e': [] });
  t.is(published(desk.tell({ kind: 'run-added', run: wide }))[0]?.length, 2);
  desk.add({ 'f b': [] });
  t.false(withdrawn(desk.tell({ kind: 'run-removed', run: wide.id })).includes(idFor('f a')));
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
  const first = published(desk.add(flood('f', 5)))[0] ?? [];
  t.is(first.length, 2);
  const [head, mate] = first;
  if (head === undefined || mate === undefined) return;
  const tasks = [{ id: head, expects: 0 }];
  const found = desk.tell({ kind: 'found', head, queue: 'default', code: 'code1', tasks });
  t.deepEqual(published(found), [[mate]]);
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

const names = ['f a', 'f b', 'f c', 'g d', 'g e'];
const sketches: Sketch[] = [
  { 'f a': [], 'f b': ['f a'], 'f c': ['f a'], 'g d': ['f b', 'f c'], 'g e': ['g d'] },
  { 'f a': [], 'f c': ['f a'] },
  { 'f a': [], 'f b': ['f a'], 'g e': [] },
];

/** A run yet to be made: what a run becomes must not outlive the attempt at a property. */
interface PlannedRun {
  readonly kind: 'planned';
  readonly number: number;
  readonly sketch: Sketch;
  readonly code: string;
}

/** What may be told, by anybody, in any order. */
const anyEvent: fc.Arbitrary<DispatchEvent | PlannedRun> = fc.oneof(
  fc.record({
    kind: fc.constant('result' as const),
    id: fc.constantFrom(...names).map(idFor),
    revision: fc.integer({ min: 1, max: 12 }),
    present: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('failure' as const),
    id: fc.constantFrom(...names).map(idFor),
    failure: fc.record({
      revision: fc.integer({ min: 1, max: 12 }),
      kind: fc.constantFrom('none' as const, 'retry' as const, 'final' as const, 'strike' as const),
      attempt: fc.integer({ min: 1, max: 3 }),
      dueAt: fc.integer({ min: 0, max: 400 }),
      expects: fc.integer({ min: 0, max: 12 }),
    }),
  }),
  fc.record({
    kind: fc.constant('planned' as const),
    number: fc.integer({ min: 1, max: 4 }),
    sketch: fc.constantFrom(...sketches),
    code: fc.constantFrom('old', 'new'),
  }),
  fc.integer({ min: 1, max: 4 }).map((number) => ({
    kind: 'run-removed' as const,
    run: runFor(number, planFor({})).id,
  })),
  fc.record({
    kind: fc.constantFrom('absent' as const),
    tasks: fc.subarray(names).map((some) => some.map(idFor)),
    readAt: fc.integer({ min: 0, max: 400 }),
  }),
  fc.record({
    kind: fc.constant('refused' as const),
    tasks: fc.subarray(names).map((some) => some.map(idFor)),
  }),
  fc.record({
    kind: fc.constant('found' as const),
    head: fc.constantFrom(...names).map(idFor),
    queue: fc.constantFrom('default', 'other'),
    code: fc.constantFrom('old', 'new'),
    tasks: fc
      .subarray(names, { minLength: 1 })
      .map((some) => some.map((name) => ({ id: idFor(name), expects: 0 }))),
  }),
  fc.record({
    kind: fc.constant('withdrawn' as const),
    head: fc.constantFrom(...names).map(idFor),
    queue: fc.constantFrom('default', 'other'),
  }),
  fc.record({
    kind: fc.constant('swept' as const),
    messages: fc
      .subarray(names)
      .map((some) => some.map((name) => ({ head: idFor(name), queue: 'default' }))),
    readAt: fc.integer({ min: 0, max: 400 }),
  }),
  fc.constant({ kind: 'tick' as const }),
);

testProp(
  'dispatch: any events, lost, repeated and out of order: the state is what the facts say, nothing is published twice at once',
  [fc.array(fc.array(anyEvent, { maxLength: 4 }), { minLength: 1, maxLength: 30 })],
  (t, batches) => {
    const state = startDispatch();
    batches.forEach((batch, at) => {
      // A run is told once, by whoever reads its record first.
      const active = new Set(state.runs.map((run) => run.id));
      const events = batch.flatMap((event): DispatchEvent[] => {
        if (event.kind !== 'planned') return [event];
        const run = runFor(event.number, planFor(event.sketch, { code: event.code }));
        if (active.has(run.id)) return [];
        active.add(run.id);
        return [{ kind: 'run-added', run }];
      });
      const queuedBefore = new Set(state.ledger.entries.keys());
      const left = new Set(events.flatMap(tasksIn));
      const all = published(apply(state, events, at * 20)).flat();
      validate(state);
      t.is(all.length, new Set(all).size);
      for (const id of all) t.true(!queuedBefore.has(id) || left.has(id) || left.has('any'));
    });
  },
);

/** Tasks that an event may have taken out of the ledger; `any`: it does not name them. */
function tasksIn(event: DispatchEvent): (TaskId | 'any')[] {
  if (event.kind === 'result' || event.kind === 'failure') return [event.id];
  if (event.kind === 'absent' || event.kind === 'refused') return [...event.tasks];
  return event.kind === 'withdrawn' || event.kind === 'found' ? ['any'] : [];
}
