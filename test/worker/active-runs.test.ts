import test from 'ava';
import type { Entry } from '../../broker/bucket.ts';
import { apply, startDispatch, type DispatchEvent } from '../../core/dispatch.ts';
import type { Graph } from '../../core/graph.ts';
import { invariant } from '../../core/errors.ts';
import { encodeRecord, recordFormat, type FailureRecord } from '../../core/records.ts';
import { holds, fact, type KnownFailure } from '../../core/run-progress.ts';
import { ActiveRuns } from '../../worker/active-runs.ts';
import type { ReignContext } from '../../worker/reign-context.ts';
import { SeenFailures } from '../../worker/seen-failures.ts';
import { startTrial } from '../kit/trial.ts';

/** A failure comes in just after a run that is being loaded has been given those that were known. */
class LateFailure extends SeenFailures {
  readonly #late: Entry;

  constructor(context: ReignContext, late: Entry) {
    super(context);
    this.#late = late;
  }

  override in(graph: Graph): [task: number, KnownFailure][] {
    const found = super.in(graph);
    this.see(this.#late);
    return found;
  }
}

test('a task fails while the plan of its run is being read: the run knows', async (t) => {
  await using trial = await startTrial();
  const { project } = trial;
  const submitted = await trial.submit(`
    import { task } from 'jugq';
    const odd = task(function odd(x: number) { return x; });
    odd(1);
  `);
  const [id] = trial.ids(submitted, 'odd');
  invariant(id, 'there is one');
  const record: FailureRecord = {
    ...{ format: recordFormat, kind: 'final', task: id, attempt: 1, strikes: 0, expects: 0 },
    ...{ error: { name: 'Error', message: 'no', stack: '' }, worker: 'w', at: '2026-01-01' },
  };
  const value = encodeRecord(record);
  const late: Entry = { key: id, value, revision: 7, writtenAt: Date.now() };
  const events: DispatchEvent[] = [];
  const state = startDispatch();
  const context: ReignContext = {
    project,
    state,
    trace: () => undefined,
    tell: (event) => events.push(event),
    guard: () => undefined,
    isOver: () => false,
    standBack: () => undefined,
    writeRecords: () => undefined,
    sweepSoon: () => undefined,
  };
  const runs = new ActiveRuns(context, new LateFailure(context, late));
  const entry = await project.runs.get(submitted.record.id);
  invariant(entry, 'it was submitted');
  runs.see(entry);
  await runs.loaded();
  // What was told before the run was there has been decided on by then.
  const added = events.findIndex((event) => event.kind === 'run-added');
  apply(state, events.slice(0, added), 1);
  const instructions = apply(state, events.slice(added), 2);
  t.false(instructions.some((each) => each.kind === 'publish'));
  const run = runs.book(submitted.record.id)?.run;
  t.true(run !== undefined && holds(run, 0, fact.failed));
});
