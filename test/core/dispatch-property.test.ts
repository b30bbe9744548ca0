import { fc, testProp } from '@fast-check/ava';
import { apply, startDispatch, validate, type DispatchEvent } from '../../core/dispatch.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { parsePatterns } from '../../core/patterns.ts';
import { published } from './dispatch-desk.ts';
import { idFor, planFor, runFor, type Sketch } from './small-plans.ts';

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
  readonly failFast: boolean;
  readonly passing: readonly string[];
  readonly targets: readonly string[] | undefined;
}

const anyRun = fc.integer({ min: 1, max: 4 }).map((number) => runFor(number, planFor({})).id);

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
    failFast: fc.boolean(),
    passing: fc.constantFrom([], ['f'], ['f', 'g']),
    targets: fc.constantFrom(undefined, undefined, ['f'], ['=g']),
  }),
  fc.record({
    kind: fc.constant('run-removed' as const),
    run: anyRun,
    recall: fc.constantFrom('idle' as const, 'all' as const),
  }),
  fc.record({
    kind: fc.constant('tasks-cancelled' as const),
    run: anyRun,
    patterns: fc.constantFrom(['f'], ['=g'], [idFor('f b')]).map(parsePatterns),
  }),
  fc.record({ kind: fc.constant('run-paused' as const), run: anyRun, paused: fc.boolean() }),
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
        const { number, sketch, code, failFast, passing, targets } = event;
        const run = runFor(number, planFor(sketch, { code, passing }), {}, { failFast, targets });
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
