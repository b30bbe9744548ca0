/** Turns a loaded jugfile into a run: what exists is learnt, the plan stored, and the record says so. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { ulid } from 'ulid';
import { knownFailure } from '../broker/failures.ts';
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import { argumentsOf, TaskIndex, type Graph } from '../core/graph.ts';
import type { RunId, TaskId } from '../core/identifiers.ts';
import { encodePlan, type SpilledArgument } from '../core/plan-format.ts';
import { encodeRecord, noCounts, recordFormat, type RunRecord } from '../core/records.ts';
import {
  countsByFunction,
  executedAndCached,
  isComplete,
  startRun,
  type KnownFailure,
  type RunProgress,
} from '../core/run-progress.ts';
import type { LoadedJugfile } from './load-jugfile.ts';

/** What planning found and did. */
export interface Submitted {
  readonly record: RunRecord;
  /** The run as it stood when it was planned. */
  readonly progress: RunProgress;
  /** Nothing is left to do. */
  readonly complete: boolean;
}

export interface SubmitOptions {
  /** Leave tasks that failed before as they are. */
  readonly keepFailed: boolean;
}

/** Arguments over this size travel as blobs, so that a parcel of several stays within a message. */
const inlineArgumentsMax = 64 * 1024;

/**
 * Compares what a jugfile declares with what is there, without writing anything.
 *
 * @param run - id of the run that this may become
 */
export async function survey(
  project: OpenProject,
  loaded: LoadedJugfile,
  run: { readonly id: RunId; readonly keepFailed: boolean },
): Promise<{ progress: RunProgress; failed: ReadonlyMap<TaskId, KnownFailure> }> {
  const { graph, bundle } = loaded;
  const basis = await project.results.lastRevision();
  const results = await project.results.known(graph);
  const failed = await failuresIn(project, graph);
  const index = new TaskIndex(graph);
  const standing = run.keepFailed
    ? [...failed].map(([id, failure]) => [index.find(id), failure] as const)
    : [];
  const plan = { graph, code: bundle.digest, spilled: new Map<number, SpilledArgument>() };
  const progress = startRun({ id: run.id, plan, basis }, results, standing, () => 1);
  return { progress, failed };
}

/**
 * Submits a run.
 *
 * Failure records of its tasks are cleared first unless they are to be kept: planning again retries what failed.
 *
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
 */
export async function submitRun(
  project: OpenProject,
  loaded: LoadedJugfile,
  options: SubmitOptions,
): Promise<Submitted> {
  const id = ulid() as RunId;
  const planning = firstRecord(id, loaded);
  const revision = await project.runs.put(id, encodeRecord(planning), 0);
  const { progress, failed } = await survey(project, loaded, {
    id,
    keepFailed: options.keepFailed,
  });
  const complete = isComplete(progress);
  if (!options.keepFailed) await clearFailures(project, failed);
  if (!complete) await storePlan(project, loaded, id);
  const known = executedAndCached(progress);
  const record: RunRecord = {
    ...planning,
    state: complete ? 'finished' : 'running',
    basis: progress.basis,
    functions: countsByFunction(progress),
    cached: known.cached,
    ...(complete ? { endedAt: new Date().toISOString() } : { plan: id }),
  };
  const written = await project.runs.put(id, encodeRecord(record), revision);
  if (written === undefined) {
    throw new JugqError(
      'SERVER_FAILED',
      `the record of run ${id} was changed while it was planned: plan again`,
    );
  }
  return { record, progress, complete };
}

function firstRecord(id: RunId, loaded: LoadedJugfile): RunRecord {
  return {
    format: recordFormat,
    id,
    state: 'planning',
    jugfile: loaded.path,
    args: loaded.args,
    host: hostname(),
    pid: process.pid,
    plannedAt: new Date().toISOString(),
    code: loaded.bundle.digest,
    basis: 0,
    functions: Object.fromEntries(loaded.graph.functions.map((each) => [each.name, noCounts()])),
    fingerprints: Object.fromEntries(
      loaded.graph.functions.map((each) => [each.name, each.fingerprint]),
    ),
    queues: Object.fromEntries(loaded.graph.functions.map((each) => [each.name, each.queue])),
    executed: 0,
    cached: 0,
    published: 0,
    epoch: 0,
  };
}

async function failuresIn(project: OpenProject, graph: Graph): Promise<Map<TaskId, KnownFailure>> {
  const entries = await project.failures.list();
  if (entries.length === 0) return new Map();
  const index = new TaskIndex(graph);
  return new Map(
    entries
      .filter((entry) => index.find(entry.key as TaskId) !== -1)
      .map((entry) => [entry.key as TaskId, knownFailure(entry)]),
  );
}

async function clearFailures(
  project: OpenProject,
  failed: ReadonlyMap<TaskId, KnownFailure>,
): Promise<void> {
  await Promise.all(
    [...failed].map(([id, failure]) => project.failures.delete(id, failure.revision)),
  );
}

async function storePlan(project: OpenProject, loaded: LoadedJugfile, id: RunId): Promise<void> {
  const { bundle } = loaded;
  const [spilled] = await Promise.all([
    spillArguments(project, loaded.graph),
    project.code
      .has(bundle.digest)
      .then((there) =>
        there
          ? undefined
          : project.code.put(bundle.digest, [new TextEncoder().encode(bundle.code)]),
      ),
  ]);
  await project.plans.put(id, encodePlan({ graph: loaded.graph, code: bundle.digest, spilled }));
}

/** Blobs are named by content: arguments that are planned again are not stored again. */
async function spillArguments(
  project: OpenProject,
  graph: Graph,
): Promise<Map<number, SpilledArgument>> {
  const spilled = new Map<number, SpilledArgument>();
  for (let task = 0; task < graph.count; task++) {
    const bytes = argumentsOf(graph, task);
    if (bytes.length <= inlineArgumentsMax) continue;
    const digest = createHash('sha256').update(bytes).digest('hex');
    const blob = `arguments.${digest}`;
    if (!(await project.blobs.has(blob))) await project.blobs.put(blob, [bytes]);
    spilled.set(task, { blob, size: bytes.length, digest });
  }
  return spilled;
}
