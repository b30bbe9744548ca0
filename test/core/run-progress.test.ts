import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { countsByFunction, executedAndCached, conclusion } from '../../core/run-outlook.ts';
import { wakeDelayed } from '../../core/delayed-retries.ts';
import {
  countIn,
  fact,
  learnFailure,
  learnResult,
  setFact,
  startRun,
  state,
  type KnownFailure,
  type RunProgress,
} from '../../core/run-progress.ts';
import { validateRun } from '../../core/validate-run.ts';
import { noCounts } from '../../core/records.ts';
import { planFor, runFor, type Sketch } from './small-plans.ts';

const diamond: Sketch = { 'f a': [], 'g b': ['f a'], 'g c': ['f a'], 'h d': ['g b', 'g c'] };

function failed(kind: KnownFailure['kind'], more: Partial<KnownFailure> = {}): KnownFailure {
  return { revision: 1, kind, attempt: 1, dueAt: 0, expects: 0, ...more };
}

/** The states of all tasks, in words. */
function states(run: RunProgress): string[] {
  const words = Object.keys(state);
  return Array.from(run.state, (each) => words[each] ?? '');
}

test('run: a result in the middle of a graph that nobody needs more of: what is before it still counts as wanted', (t) => {
  const run = runFor(1, planFor(diamond), { results: [{ task: 1, revision: 3, present: true }] });
  t.deepEqual(states(run), ['ready', 'finished', 'waiting', 'waiting']);
});

test('run: a task that is wanted by nobody: idle until a dependent misses it', (t) => {
  const run = runFor(1, planFor({ 'f a': [], 'g b': ['f a'] }), {
    results: [{ task: 1, revision: 3, present: true }],
  });
  setFact(run, 0, fact.wanted, false);
  t.deepEqual(states(run), ['idle', 'finished']);
  t.not(conclusion(run), undefined);
  learnResult(run, { task: 1, revision: 4, present: false });
  t.deepEqual(states(run), ['ready', 'waiting']);
  validateRun(run);
});

test('run: a task that failed: all behind it are blocked, and free again when the record goes', (t) => {
  const run = runFor(1, planFor(diamond));
  learnFailure(run, 0, failed('final'));
  t.deepEqual(states(run), ['failed', 'blocked', 'blocked', 'blocked']);
  t.not(conclusion(run), undefined);
  learnFailure(run, 0, failed('none', { revision: 2 }));
  t.deepEqual(states(run), ['ready', 'waiting', 'waiting', 'waiting']);
  validateRun(run);
});

test('run: a retry: delayed until it is due', (t) => {
  const run = runFor(1, planFor({ 'f a': [], 'f b': [] }));
  learnFailure(run, 0, failed('retry', { dueAt: 70 }));
  learnFailure(run, 1, failed('retry', { dueAt: 50 }));
  t.is(run.dueFrom, 50);
  wakeDelayed(run, 50);
  t.deepEqual(states(run), ['delayed', 'ready']);
  wakeDelayed(run, 70);
  t.deepEqual([run.dueFrom, states(run)], [Infinity, ['ready', 'ready']]);
  validateRun(run);
});

test('run: results before and after its plan: cached and executed', (t) => {
  const results = [
    { task: 0, revision: 4, present: true },
    { task: 1, revision: 5, present: true },
    { task: 2, revision: 6, present: false },
  ];
  const run = startRun({ ...runFor(1, planFor(diamond)), basis: 4 }, results, [], () => 1);
  t.deepEqual(executedAndCached(run), { executed: 1, cached: 1 });
});

test('run: counts in the words that users see: retries wait, what is queued is ready', (t) => {
  const run = runFor(1, planFor({ 'f a': [], 'f b': [], 'f c': [], 'g d': ['f a'] }));
  setFact(run, 0, fact.queued, true);
  learnFailure(run, 1, failed('retry', { dueAt: 9 }));
  learnFailure(run, 2, failed('final'));
  t.deepEqual(countsByFunction(run), {
    f: { ...noCounts(), ready: 1, waiting: 1, failed: 1 },
    g: { ...noCounts(), waiting: 1 },
  });
});

test('run: a chain of a hundred thousand: the first result and its loss cost no stack', (t) => {
  const count = 100_000;
  const plan = planFor({ 'f a': [], 'f b': ['f a'] });
  const start = Uint32Array.from({ length: count + 1 }, (_, at) => Math.max(0, at - 1));
  const graph = {
    ...plan.graph,
    count,
    // Only positions are looked at here, so the hashes may be anything that differs.
    hashes: Uint32Array.from({ length: count * 5 }, (_, at) => Math.imul(at, 2654435761)),
    functionOf: new Uint32Array(count),
    dependencies: { start, items: Uint32Array.from({ length: count - 1 }, (_, at) => at) },
    argumentStart: new Uint32Array(count + 1),
  };
  const run = runFor(1, { ...plan, graph });
  learnFailure(run, 0, failed('final'));
  t.is(countIn(run, state.blocked), count - 1);
  learnFailure(run, 0, failed('none', { revision: 2 }));
  t.is(countIn(run, state.waiting), count - 1);
  validateRun(run);
});

/** A graph of up to eight tasks in which each takes some of those before it. */
const anySketch = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 8 })
  .map((takes): Sketch => {
    const name = (at: number): string => `${at % 2 === 0 ? 'f' : 'g'} ${at.toString()}`;
    return Object.fromEntries(
      takes.map((each, at) => [
        name(at),
        at === 0 ? [] : [...new Set(each.map((one) => name(one % at)))],
      ]),
    );
  });

const anyChange = fc.record({
  task: fc.nat(),
  bit: fc.constantFrom(fact.hasResult, fact.failed, fact.delayed, fact.queued, fact.wanted),
  value: fc.boolean(),
});

testProp(
  'run: facts that change in any order: states and counters are those of a fresh look at the facts',
  [anySketch, fc.array(anyChange, { minLength: 1, maxLength: 40 })],
  (t, sketch, changes) => {
    const run = runFor(1, planFor(sketch));
    for (const { task, bit, value } of changes) {
      setFact(run, task % run.plan.graph.count, bit, value);
      t.notThrows(() => {
        validateRun(run);
      });
    }
  },
);

testProp(
  'run: told one by one or known from the start: the same states',
  [anySketch, fc.array(fc.record({ task: fc.nat(), present: fc.boolean() }), { maxLength: 12 })],
  (t, sketch, told) => {
    const plan = planFor(sketch);
    const results = told.map(({ task, present }, at) => ({
      task: task % plan.graph.count,
      revision: at + 1,
      present,
    }));
    const slowly = runFor(1, plan);
    for (const result of results) learnResult(slowly, result);
    const last = new Map(results.map((each) => [each.task, each]));
    const atOnce = runFor(1, plan, { results: [...last.values()] });
    t.deepEqual(states(slowly), states(atOnce));
    t.deepEqual(slowly.counts, atOnce.counts);
    t.deepEqual(slowly.revision, atOnce.revision);
  },
);

/** The plan of a chain of three, parked at its first two tasks. */
const parked = {
  ...planFor({ 'f a': [], 'f b': ['f a'], 'g c': [] }),
  waits: [{ place: 'here', tasks: 2 }],
};

test('run: parked: planning goes on when the wait is over, though tasks run still', (t) => {
  const run = runFor(1, parked);
  t.is(conclusion(run), undefined);
  learnResult(run, { task: 0, revision: 1, present: true });
  t.is(conclusion(run), undefined);
  learnResult(run, { task: 1, revision: 2, present: true });
  t.is(conclusion(run), 'plan-on');
});

test('run: parked behind a failure, and nothing else moves: failed', (t) => {
  const run = runFor(1, parked);
  learnFailure(run, 0, failed('final'));
  t.is(conclusion(run), undefined);
  learnResult(run, { task: 2, revision: 1, present: true });
  t.is(conclusion(run), 'failed');
});

test('run: an open compound waits; if its result goes, planning must go on', (t) => {
  const plan = { ...planFor({ 'f a': [], 'g b': ['f a'] }), open: [0] };
  const run = runFor(1, plan, { results: [{ task: 0, revision: 1, present: true }] });
  t.deepEqual(states(run), ['finished', 'ready']);
  learnResult(run, { task: 0, revision: 2, present: false });
  t.deepEqual(states(run), ['waiting', 'waiting']);
  t.is(conclusion(run), 'plan-on');
  validateRun(run);
});

test('run: ten thousand delayed retries are walked when one is due, not with every event', (t) => {
  const names = Array.from({ length: 10_000 }, (_, at) => `f ${at.toString()}`);
  const run = runFor(1, planFor(Object.fromEntries(names.map((name) => [name, []]))));
  names.forEach((_, task) => {
    const failure = { revision: task + 1, kind: 'retry', attempt: 1, expects: 0 } as const;
    learnFailure(run, task, { ...failure, dueAt: 1000 + task });
  });
  let walks = 0;
  const walked = run.delayed[Symbol.iterator].bind(run.delayed);
  run.delayed[Symbol.iterator] = () => {
    walks++;
    return walked();
  };
  for (let now = 0; now < 1000; now++) wakeDelayed(run, now);
  t.is(walks, 0);
  wakeDelayed(run, 1000);
  wakeDelayed(run, 1000);
  t.deepEqual([walks, run.delayed.size, run.dueFrom], [1, 9999, 1001]);
});
