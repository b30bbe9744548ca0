/**
 * Plans a parked run on whose planner has gone: its bundle is evaluated again, finds the values that it stopped for, and
 * declares what comes behind them. Whoever holds the dispatcher's lease does this.
 *
 * The second evaluation must declare every task of the stored plan. If it does not (a clock, a random number, other
 * files or an other environment on this machine), the run fails and says what differs.
 */
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenProject } from '../broker/project.ts';
import { readRun } from '../broker/run-records.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import { idOf, row, TaskIndex, type Graph } from '../core/graph.ts';
import type { RunId } from '../core/identifiers.ts';
import { decodePlanOf } from '../core/plan-format.ts';
import { isOver, valueFor, type RunRecord } from '../core/records.ts';
import { placeBundle } from '../worker/bundle-file.ts';
import { Evaluation, type EvaluationStep } from '../worker/evaluate.ts';
import { plannerGoneMs, plannerKey } from './carry-out.ts';
import { failRun } from './runs.ts';
import type { Trace, TraceEvent } from '../worker/trace.ts';
import type { Session } from './session.ts';
import { submitNext } from './submit-run.ts';

const lookEveryMs = 1000;

/** A run, and the step after which it was to be planned on. */
interface Place {
  readonly run: RunId;
  readonly step: number;
}

/** Plans runs on, one after another, as the dispatcher of this process says. */
export function startReplanner(
  session: Session,
  trace: Trace,
): { see(event: TraceEvent): void; stop(): Promise<void> } {
  const stopped = new AbortController();
  let working = Promise.resolve();
  return {
    see(event) {
      if (event.kind !== 'run-awake') return;
      working = working.then(() => planOn(session, event, { trace, signal: stopped.signal }));
    },
    stop() {
      stopped.abort();
      return working;
    },
  };
}

/** A server that is away is asked again: the dispatcher tells of a run only once. */
async function planOn(
  session: Session,
  place: Place,
  { trace, signal }: { readonly trace: Trace; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    try {
      await replanRun(session, place, { trace, signal });
      return;
    } catch (error) {
      if (signal.aborted || session.project.connection.isClosed()) return;
      const reason = error instanceof Error ? error.message : String(error);
      trace({ kind: 'trouble', reason: `planning run ${place.run} on: ${reason}` });
      await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/**
 * Plans a run on unless its planner does.
 *
 * @param signal - gives up, because this process ends or dispatches no longer
 * @throws JugqError when the server cannot be asked
 */
async function replanRun(
  session: Session,
  place: Place,
  { trace, signal }: { readonly trace: Trace; readonly signal: AbortSignal },
): Promise<void> {
  const { project } = session;
  if (!(await isAbandoned(project, place, signal))) return;
  const record = await recordAt(project, place);
  if (record === undefined) return;
  try {
    const step = await evaluateAgain(session, record, signal);
    await submitNext(
      project,
      {
        graph: withFingerprints(step.graph, record),
        open: step.open,
        kept: step.kept,
        expansions: step.expansions,
        waits: step.kind === 'parked' ? step.waits : [],
        bundle: { digest: record.code, code: undefined },
      },
      record,
    );
  } catch (error) {
    if (!isJugqError(error) || signal.aborted || project.connection.isClosed()) throw error;
    const note = `planning went on at ${hostname()} and failed: ${error.message}`;
    await failRun(project, record, note);
    trace({ kind: 'trouble', reason: `run ${record.id}: ${note}` });
  }
}

/** Waits until it is certain that nobody plans the run; false if somebody does, or it needs no planning. */
async function isAbandoned(
  project: OpenProject,
  place: Place,
  signal: AbortSignal,
): Promise<boolean> {
  const key = plannerKey(place.run);
  let seen = -1;
  let seenAt = performance.now();
  while (!signal.aborted && (await recordAt(project, place)) !== undefined) {
    const sign = await project.runs.get(key);
    if (sign?.value === undefined) return true;
    if (sign.revision !== seen) {
      seen = sign.revision;
      seenAt = performance.now();
    }
    if (performance.now() - seenAt > plannerGoneMs) {
      // Nobody shall wait for it again at the next step. One that only stood still says anew that it is there.
      if ((await project.runs.delete(key, sign.revision)) !== undefined) return true;
    }
    await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

/** The record of a run that still stands where it was to be planned on. */
async function recordAt(
  project: OpenProject,
  { run, step }: Place,
): Promise<RunRecord | undefined> {
  const entry = await project.runs.get(run);
  const record = entry && readRun(project, entry);
  return record?.step === step && !isOver(record.state) ? record : undefined;
}

async function evaluateAgain(
  session: Session,
  record: RunRecord,
  signal: AbortSignal,
): Promise<EvaluationStep> {
  const { project, cwd } = session;
  const bytes = await project.code.get(record.code);
  if (bytes === undefined) {
    throw new JugqError('VALUE_CORRUPT', `the code of run ${record.id} is gone: plan it again`);
  }
  const evaluation = new Evaluation({
    jugfile: record.jugfile,
    file: placeBundle(record.code, bytes, cwd),
    directory: cwd,
    args: record.args,
    onProgress: () => undefined,
    store: session.store,
    signal,
  });
  try {
    const step = await evaluation.advance();
    await compare(project, record, step);
    return step;
  } finally {
    await evaluation.close();
  }
}

/** @throws JugqError `JUGFILE_THREW` if a task of the stored plan was not declared this time */
async function compare(
  project: OpenProject,
  record: RunRecord,
  step: EvaluationStep,
): Promise<void> {
  const bytes = record.plan === undefined ? undefined : await project.plans.get(record.plan);
  if (bytes === undefined) return;
  const before = decodePlanOf(record.id, bytes).graph;
  const missing = firstMissing(before, step);
  if (missing === undefined) return;
  throw new JugqError(
    'JUGFILE_THREW',
    `the jugfile declares other tasks than at first: ${idOf(before, missing)} (number ${(missing + 1).toString()}) is missing: keep its evaluation with plan --wait, pass what may change as plan arguments, or remember it with cached()`,
  );
}

/** The first task that is not declared any more, though no compound that has its result by now was made of it. */
function firstMissing(before: Graph, { graph, open }: EvaluationStep): number | undefined {
  const index = new TaskIndex(graph);
  const closed = new Set(open);
  const excused = new Uint8Array(before.count);
  const missing: number[] = [];
  for (let task = before.count - 1; task >= 0; task--) {
    const now = index.findIn(before, task);
    if (now === -1) missing.push(task);
    if (now === -1 ? excused[task] === 0 : !closed.has(now)) continue;
    for (const inner of row(before.dependencies, task)) excused[inner] = 1;
  }
  return missing.findLast((task) => excused[task] === 0);
}

/** Functions that are new behind the wait have none: their sources stayed with the first planner. */
function withFingerprints(graph: Graph, { fingerprints }: RunRecord): Graph {
  const functions = graph.functions.map((each) => ({
    ...each,
    fingerprint: valueFor(fingerprints, each.name) ?? '',
  }));
  return { ...graph, functions };
}
