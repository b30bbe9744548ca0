/** Turns a loaded jugfile into a run: what exists is learnt, the plan stored, and the record says so. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { ulid } from 'ulid';
import { knownFailure } from '../broker/failures.ts';
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import { argumentsOf, TaskIndex, type Graph } from '../core/graph.ts';
import type { RunId, TaskId } from '../core/identifiers.ts';
import { pastResults, type PastResults } from '../core/known-results.ts';
import { encodePlan, type SpilledArgument } from '../core/plan-format.ts';
import { encodeRecord, isOver, noCounts, recordFormat, type RunRecord } from '../core/records.ts';
import {
  conclusion,
  countedApart,
  countsByFunction,
  executedAndCached,
  whyStopped,
} from '../core/run-outlook.ts';
import { startRun, state, type KnownFailure, type RunProgress } from '../core/run-progress.ts';
import { storeExpansions } from './expansions.ts';
import type { LoadedJugfile } from './load-jugfile.ts';
import { updateRun } from './runs.ts';
import { staleIn } from './stale-results.ts';

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
  /** Patterns of the tasks that are wanted, with what they need; absent: all tasks. */
  readonly targets?: readonly string[] | undefined;
  /** The first task that fails for good ends the run. */
  readonly failFast?: boolean | undefined;
}

/** Arguments over this size travel as blobs, so that a parcel of several stays within a message. */
const inlineArgumentsMax = 64 * 1024;

/** What is there of the tasks of a jugfile. */
export interface Survey {
  readonly progress: RunProgress;
  readonly failed: ReadonlyMap<TaskId, KnownFailure>;
  readonly past: PastResults;
  /** How many of the results that count were made by other code, by function. */
  readonly stale: Readonly<Record<string, number>>;
}

/**
 * Compares what a jugfile declares with what is there, without writing anything.
 *
 * @param run - id of the run that this may become
 */
export async function survey(
  project: OpenProject,
  loaded: Planned,
  run: SubmitOptions & { readonly id: RunId },
): Promise<Survey> {
  const { graph, bundle } = loaded;
  const upTo = await project.results.place();
  const results = await project.results.known(graph);
  const failed = await failuresIn(project, graph);
  const index = new TaskIndex(graph);
  const standing = run.keepFailed
    ? [...failed].map(([id, failure]) => [index.find(id), failure] as const)
    : [];
  const spilled = new Map<number, SpilledArgument>();
  const { open, kept, waits } = loaded;
  const plan = { graph, code: bundle.digest, spilled, open, kept, waits };
  const { id, targets, failFast } = run;
  const basis = upTo.revision;
  const progress = startRun({ id, plan, basis, targets, failFast }, results, standing, () => 1);
  const past = pastResults(upTo, results);
  return { progress, failed, past, stale: staleIn(progress, results) };
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
  const planning = firstRecord(id, loaded, options);
  const revision = await project.runs.put(id, encodeRecord(planning), 0);
  const { progress, failed, past, stale } = await survey(project, loaded, { id, ...options });
  const end = conclusion(progress);
  const complete = end === 'finished' || end === 'failed';
  const note = complete ? whyStopped(progress, end) : undefined;
  if (!options.keepFailed) await clearFailures(project, progress, failed);
  // Also of a run with nothing to do: which results belong to a jugfile is known from its newest plan.
  // Nobody loads it to dispatch where nothing is to be done.
  const plan = await storePlan(project, loaded, { id, step: 1, past: complete ? undefined : past });
  const record: RunRecord = {
    ...planning,
    plan,
    ...described(loaded, { progress, stale }),
    state: complete ? end : loaded.waits.length > 0 ? 'parked' : 'running',
    step: 1,
    basis: progress.basis,
    cached: executedAndCached(progress).cached,
    ...(note === undefined ? {} : { note }),
    ...(complete ? { endedAt: new Date().toISOString() } : {}),
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

/**
 * Submits what planning has added to a run since it was parked.
 *
 * @returns the record; undefined if somebody else has planned the run on, or it has ended
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
 */
export async function submitNext(
  project: OpenProject,
  loaded: Planned,
  { id, step, basis, targets, failFast }: RunRecord,
): Promise<RunRecord | undefined> {
  const next = step + 1;
  const options = { keepFailed: true, targets, failFast };
  const { progress, past, stale } = await survey(project, loaded, { id, ...options });
  const plan = await storePlan(project, loaded, { id, step: next, past });
  const facts = described(loaded, { progress: { ...progress, basis }, stale });
  return updateRun(project, id, (record) => {
    if (record.step !== step || isOver(record.state)) return undefined;
    const { waits: _before, awake: _then, stale: _last, ...rest } = record;
    const now = loaded.waits.length > 0 ? 'parked' : 'running';
    return { ...rest, ...facts, state: now, plan, step: next };
  });
}

/** What a jugfile declares, as far as it is to be submitted. */
export type Planned = Pick<LoadedJugfile, 'graph' | 'open' | 'kept' | 'waits'> &
  Partial<Pick<LoadedJugfile, 'expansions'>> & {
    /** `code` is undefined where the bundle is on the server already. */
    readonly bundle: { readonly digest: string; readonly code: string | undefined };
  };

/**
 * Counts anew what a run has come to that nobody dispatches any more: what workers finished after its end counts, too.
 *
 * @returns the record as it is then
 */
export async function recountRun(
  project: OpenProject,
  loaded: Planned,
  { id, basis, targets, failFast }: RunRecord,
): Promise<RunRecord | undefined> {
  const wish = { keepFailed: true, targets, failFast };
  const { progress } = await survey(project, loaded, { id, ...wish });
  const counted = { ...progress, basis };
  return updateRun(project, id, (record) => ({
    ...record,
    functions: countsByFunction(counted),
    ...executedAndCached(counted),
  }));
}

/** What a record says of the plan. */
function described(
  { graph, waits }: Planned,
  { progress, stale }: Pick<Survey, 'progress' | 'stale'>,
): Pick<RunRecord, 'functions' | 'dropped' | 'stale' | 'fingerprints' | 'queues' | 'waits'> {
  const [wait] = waits;
  const dropped = countedApart(progress, state.dropped);
  return {
    functions: countsByFunction(progress),
    ...(Object.keys(dropped).length === 0 ? {} : { dropped }),
    ...(Object.keys(stale).length === 0 ? {} : { stale }),
    fingerprints: Object.fromEntries(graph.functions.map((each) => [each.name, each.fingerprint])),
    queues: Object.fromEntries(graph.functions.map((each) => [each.name, each.queue])),
    ...(wait === undefined ? {} : { waits: wait.place }),
  };
}

function firstRecord(id: RunId, loaded: LoadedJugfile, options: SubmitOptions): RunRecord {
  const { targets, failFast = false } = options;
  return {
    format: recordFormat,
    id,
    state: 'planning',
    jugfile: loaded.name,
    args: loaded.args,
    host: hostname(),
    pid: process.pid,
    plannedAt: new Date().toISOString(),
    code: loaded.bundle.digest,
    step: 0,
    basis: 0,
    functions: Object.fromEntries(loaded.graph.functions.map((each) => [each.name, noCounts()])),
    fingerprints: {},
    queues: {},
    executed: 0,
    cached: 0,
    published: 0,
    epoch: 0,
    ...(targets === undefined ? {} : { targets }),
    ...(failFast ? { failFast } : {}),
  };
}

async function failuresIn(project: OpenProject, graph: Graph): Promise<Map<TaskId, KnownFailure>> {
  const entries = await project.failures.list();
  if (entries.length === 0) return new Map();
  const index = new TaskIndex(graph);
  const found = new Map<TaskId, KnownFailure>();
  for (const entry of entries) {
    const id = entry.key as TaskId;
    const failure = index.find(id) === -1 ? undefined : knownFailure(project, entry);
    if (failure !== undefined) found.set(id, failure);
  }
  return found;
}

/** Those of tasks that the run has no need of stay. */
async function clearFailures(
  project: OpenProject,
  { index, state: states }: RunProgress,
  failed: ReadonlyMap<TaskId, KnownFailure>,
): Promise<void> {
  const needed = [...failed].filter(([id]) => states[index.find(id)] !== state.idle);
  await Promise.all(needed.map(([id, failure]) => project.failures.delete(id, failure.revision)));
}

/** @returns the name that it is stored by */
async function storePlan(
  project: OpenProject,
  { graph, open, kept, expansions = [], waits, bundle }: Planned,
  {
    id,
    step,
    past,
  }: { readonly id: RunId; readonly step: number; readonly past: PastResults | undefined },
): Promise<string> {
  const [spilled] = await Promise.all([
    spillArguments(project, graph),
    project.code
      .has(bundle.digest)
      .then((there) =>
        there || bundle.code === undefined
          ? undefined
          : project.code.put(bundle.digest, [new TextEncoder().encode(bundle.code)]),
      ),
    storeExpansions(project, graph, expansions),
  ]);
  const name = `${id}.${step.toString()}`;
  const plan = encodePlan({ graph, code: bundle.digest, spilled, open, kept, waits, past });
  await project.plans.put(name, plan);
  return name;
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
