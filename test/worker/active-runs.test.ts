import test from 'ava';
import type { Entry } from '../../broker/bucket.ts';
import type { OpenProject } from '../../broker/project.ts';
import type { Submitted } from '../../cli/submit-run.ts';
import { apply, startDispatch, type DispatchEvent } from '../../core/dispatch.ts';
import type { Graph } from '../../core/graph.ts';
import { invariant } from '../../core/errors.ts';
import {
  encodeRecord,
  recordFormat,
  type FailureRecord,
  type RunRecord,
} from '../../core/records.ts';
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

/** What a reign's parts are given, and what they have told. */
function contextOf(project: OpenProject): ReignContext & { readonly events: DispatchEvent[] } {
  const events: DispatchEvent[] = [];
  return {
    events,
    project,
    state: startDispatch(),
    trace: () => undefined,
    tell: (event) => events.push(event),
    guard: () => undefined,
    isOver: () => false,
    standBack: () => undefined,
    writeRecords: () => undefined,
    sweepSoon: () => undefined,
  };
}

const jugfile = `
  import { task } from 'jugq';
  const odd = task(function odd(x: number) { return x; });
  odd(1);
`;

/** The record of a submitted run as it was written, and as whoever ends it would write it. */
async function entriesOf(
  project: OpenProject,
  { record }: Submitted,
): Promise<{ readonly written: Entry; readonly ended: Entry }> {
  const written = await project.runs.get(record.id);
  invariant(written, 'it was submitted');
  const over: RunRecord = { ...record, state: 'failed' };
  return {
    written,
    ended: { ...written, value: encodeRecord(over), revision: written.revision + 1 },
  };
}

test('a task fails while the plan of its run is being read: the run knows', async (t) => {
  await using trial = await startTrial();
  const submitted = await trial.submit(jugfile);
  const [id] = trial.ids(submitted, 'odd');
  invariant(id, 'there is one');
  const record: FailureRecord = {
    ...{ format: recordFormat, kind: 'final', task: id, attempt: 1, strikes: 0, expects: 0 },
    ...{ error: { name: 'Error', message: 'no', stack: '' }, worker: 'w', at: '2026-01-01' },
  };
  const value = encodeRecord(record);
  const late: Entry = { key: id, value, revision: 7, writtenAt: Date.now() };
  const context = contextOf(trial.project);
  const { events, state } = context;
  const runs = new ActiveRuns(context, new LateFailure(context, late));
  runs.see((await entriesOf(trial.project, submitted)).written);
  await runs.loaded();
  // What was told before the run was there has been decided on by then.
  const added = events.findIndex((event) => event.kind === 'run-added');
  apply(state, events.slice(0, added), 1);
  const instructions = apply(state, events.slice(added), 2);
  t.false(instructions.some((each) => each.kind === 'publish'));
  const run = runs.book(submitted.record.id)?.run;
  t.true(run !== undefined && holds(run, 0, fact.failed));
});

test('a run that is ended while its plan is being read: nothing of it begins', async (t) => {
  await using trial = await startTrial();
  const { written, ended } = await entriesOf(trial.project, await trial.submit(jugfile));
  const context = contextOf(trial.project);
  const runs = new ActiveRuns(context, new SeenFailures(context));
  runs.see(written);
  runs.see(ended);
  await runs.loaded();
  t.deepEqual(context.events, []);
  t.deepEqual([...runs.books()], []);
});

test('a run that is over is forgotten, with its plan', async (t) => {
  await using trial = await startTrial();
  const { written, ended } = await entriesOf(trial.project, await trial.submit(jugfile));
  const context = contextOf(trial.project);
  const runs = new ActiveRuns(context, new SeenFailures(context));
  runs.see(written);
  await runs.loaded();
  t.is([...runs.books()].length, 1);
  runs.see(ended);
  t.deepEqual([...runs.books()], []);
  t.deepEqual(
    context.events.map((each) => each.kind),
    ['run-added', 'run-removed'],
  );
});
