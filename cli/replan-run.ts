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
import { isJugqError, JugqError } from '../core/errors.ts';
import { idOf, TaskIndex, type Graph } from '../core/graph.ts';
import type { RunId } from '../core/identifiers.ts';
import { decodePlan } from '../core/plan-format.ts';
import { isOver, type RunRecord } from '../core/records.ts';
import { placeBundle } from '../worker/bundle-file.ts';
import { Evaluation, type EvaluationStep } from '../worker/evaluate.ts';
import { plannerGoneMs, plannerKey } from './carry-out.ts';
import { failRun, readRun } from './runs.ts';
import type { Trace, TraceEvent } from '../worker/trace.ts';
import type { Session } from './session.ts';
import { submitNext } from './submit-run.ts';

const lookEveryMs = 1000;

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
      working = working.then(() => planOn(session, event.run, { trace, signal: stopped.signal }));
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
  run: RunId,
  { trace, signal }: { readonly trace: Trace; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await replanRun(session, run, signal);
      return;
    } catch (error) {
      if (signal.aborted || session.project.connection.isClosed()) return;
      const reason = error instanceof Error ? error.message : String(error);
      trace({ kind: 'trouble', reason: `planning run ${run} on: ${reason}` });
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
async function replanRun(session: Session, run: RunId, signal: AbortSignal): Promise<void> {
  const { project } = session;
  if (!(await isAbandoned(project, run, signal))) return;
  const record = await awakeRun(project, run);
  if (record === undefined || signal.aborted) return;
  try {
    const step = await evaluateAgain(session, record, signal);
    await submitNext(
      project,
      {
        graph: withFingerprints(step.graph, record),
        open: step.open,
        waits: step.kind === 'parked' ? step.waits : [],
        bundle: { digest: record.code, code: undefined },
      },
      record,
    );
  } catch (error) {
    if (!isJugqError(error) || signal.aborted || project.connection.isClosed()) throw error;
    await failRun(project, run, `planning went on at ${hostname()} and failed: ${error.message}`);
  }
}

/** Waits until it is certain that nobody plans the run; false if somebody does, or it needs no planning. */
async function isAbandoned(
  project: OpenProject,
  run: RunId,
  signal: AbortSignal,
): Promise<boolean> {
  let seen = -1;
  let seenAt = performance.now();
  while (!signal.aborted && (await awakeRun(project, run)) !== undefined) {
    const sign = await project.runs.get(plannerKey(run));
    if (sign?.value === undefined) return true;
    if (sign.revision !== seen) {
      seen = sign.revision;
      seenAt = performance.now();
    }
    if (performance.now() - seenAt > plannerGoneMs) return true;
    await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
  }
  return false;
}

/** The record of a run that can be planned on. */
async function awakeRun(project: OpenProject, run: RunId): Promise<RunRecord | undefined> {
  const entry = await project.runs.get(run);
  const record = entry && readRun(entry);
  if (record === undefined || isOver(record.state)) return undefined;
  return record.awake === record.step ? record : undefined;
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
    await compare(project, record, step.graph);
    return step;
  } finally {
    await evaluation.close();
  }
}

/** @throws JugqError `JUGFILE_THREW` if a task of the stored plan was not declared this time */
async function compare(project: OpenProject, record: RunRecord, graph: Graph): Promise<void> {
  const bytes = record.plan === undefined ? undefined : await project.plans.get(record.plan);
  if (bytes === undefined) return;
  const before = decodePlan(bytes).graph;
  const index = new TaskIndex(graph);
  for (let task = 0; task < before.count; task++) {
    if (index.findIn(before, task) !== -1) continue;
    throw new JugqError(
      'JUGFILE_THREW',
      `the jugfile declares other tasks than at first: ${idOf(before, task)} (number ${(task + 1).toString()}) is missing: keep its evaluation with plan --wait, pass what may change as plan arguments, or remember it with cached()`,
    );
  }
}

/** Functions that are new behind the wait have none: their sources stayed with the first planner. */
function withFingerprints(graph: Graph, { fingerprints }: RunRecord): Graph {
  const functions = graph.functions.map((each) => ({
    ...each,
    fingerprint: fingerprints[each.name] ?? '',
  }));
  return { ...graph, functions };
}
