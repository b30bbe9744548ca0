/**
 * Makes an outcome last: a result or a failure record on the server, confirmed. Only after that is a task settled.
 *
 * A put that was refused is a question, not an answer: the key is read, and what stands there decides.
 */
import { ulid } from 'ulid';
import { recordDifference } from '../broker/differences.ts';
import { isStorageFull, isWrongRevision } from '../broker/nats-errors.ts';
import type { OpenProject } from '../broker/project.ts';
import type { PublishOutcome } from '../broker/publisher.ts';
import type { ResultFacts } from '../broker/result-facts.ts';
import type { StoredResult } from '../broker/results.ts';
import { isJugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { BlobReference, Parcel, ParcelTask } from '../core/parcel.ts';
import {
  encodeRecord,
  recordFormat,
  retryMsMax,
  type FailureRecord,
  type TaskError,
} from '../core/records.ts';
import type { Inputs } from './inputs.ts';
import type { TaskEnd } from './parcel-ends.ts';
import type { Outcome } from './task-protocol.ts';
import type { Trace } from './trace.ts';

export interface StoreContext {
  readonly project: OpenProject;
  readonly inputs: Inputs;
  readonly worker: string;
  readonly trace: Trace;
  /** The server has no room, for this reason; or has room again. */
  readonly onFull: (reason: string | undefined) => void;
}

type Done = Extract<Outcome, { kind: 'done' }>;

const fullRetryMs = 2000;

/** What an outcome is of; `failureRevision` is that of the task's failure record as this attempt knows it, 0: none. */
export interface Attempted {
  readonly parcel: Parcel;
  readonly task: ParcelTask;
  readonly failureRevision: number;
}

/** Is told how a task ended whose result was to be stored. */
export type Settle = (end: TaskEnd) => void;

/** Stores a result; `settle` is called when it, or another one of the same task, is there, or it must not be. */
export function storeResult(
  context: StoreContext,
  attempted: Attempted,
  outcome: Done,
  settle: Settle,
): void {
  const { task } = attempted;
  const { id } = task;
  context.trace({ kind: 'result-computed', task: id });
  const facts: ResultFacts = {
    worker: context.worker,
    ms: outcome.ms,
    attempt: task.attempt,
    fingerprint: task.fn.fingerprint,
    digest: outcome.digest,
  };
  const { value: bytes } = outcome;
  const { expects } = task;
  if (bytes.length <= context.project.results.inlineBytesMax) {
    put(context, { id, facts, expects, value: bytes, bytes, attempted }, settle);
    return;
  }
  void storeBlob(context, outcome).then((value) => {
    put(context, { id, facts, expects, value, bytes, attempted }, settle);
  });
}

interface Put {
  readonly id: TaskId;
  readonly facts: ResultFacts;
  readonly expects: number;
  readonly value: Uint8Array | BlobReference;
  readonly bytes: Uint8Array;
  readonly attempted: Attempted;
}

function put(context: StoreContext, result: Put, settle: Settle): void {
  context.project.results.put(result, (outcome) => {
    if (outcome.kind === 'stored') {
      context.trace({ kind: 'result-stored', task: result.id, ms: result.facts.ms });
      if (result.attempted.parcel.taken)
        context.inputs.remember(result.id, outcome.sequence, result.bytes);
      context.onFull(undefined);
      // The usual case costs no turn of the event loop.
      if (result.attempted.failureRevision === 0) settle('accepted');
      else void clearFailure(context, result).then(() => settle('accepted'));
    } else {
      question(context, result, outcome, settle).catch((error: unknown) => {
        putLater(context, result, settle, error instanceof Error ? error.message : String(error));
      });
    }
  });
}

/** The computed value is kept, and heartbeats go on, until the server takes it or says what stands there. */
function putLater(context: StoreContext, result: Put, settle: Settle, reason: string): void {
  if (context.project.connection.isClosed()) return;
  context.onFull(reason);
  setTimeout(() => {
    put(context, result, settle);
  }, fullRetryMs);
}

/** Reads what stands where the put was refused. Reading waits for the server as long as it takes. */
async function question(
  context: StoreContext,
  result: Put,
  refusal: PublishOutcome & { kind: 'refused' },
  settle: Settle,
): Promise<void> {
  const { project, trace } = context;
  if (isStorageFull(refusal)) {
    putLater(context, result, settle, refusal.description);
    return;
  }
  if (!isWrongRevision(refusal)) {
    const message = `the server refuses the result: ${refusal.description}`;
    const error = { name: 'VALUE_NOT_STORABLE', message, stack: '' };
    const { task, failureRevision } = result.attempted;
    const failure = { error, output: '', final: true, failureRevision, strikes: 0 };
    await storeFailure(context, { task, mayHaveTwin: true }, failure);
    settle('none');
    return;
  }
  const found = await project.results.readFromLeader(result.id);
  if (found === undefined) {
    put(context, { ...result, expects: 0 }, settle);
    return;
  }
  const why = compare(found, result);
  trace({ kind: 'result-refused', task: result.id, why });
  if (why === 'differs') await tellDifference(context, found, result);
  if (!(result.value instanceof Uint8Array)) await discardBlob(context, result.value, found.data);
  if (found.present) await clearFailure(context, result);
  settle(!found.present ? 'none' : why === 'twin' ? 'accepted' : 'other');
}

/** A value that expected another revision, or has other code, was made from something else: nothing follows from it. */
function compare(found: StoredResult, result: Put): 'twin' | 'differs' | 'invalidated' {
  if (!found.present) return 'invalidated';
  if (found.facts?.digest === result.facts.digest) return 'twin';
  const isSameWork =
    found.expected === result.expects && found.facts?.fingerprint === result.facts.fingerprint;
  return isSameWork ? 'differs' : 'invalidated';
}

async function tellDifference(
  { project, worker, trace }: StoreContext,
  { facts }: StoredResult,
  result: Put,
): Promise<void> {
  try {
    await recordDifference(project.failures, {
      task: result.id,
      stored: { worker: facts?.worker ?? '', digest: facts?.digest ?? '' },
      other: { worker, digest: result.facts.digest },
    });
  } catch (error) {
    // A warning that cannot be kept has been told by the trace, and must not hold the parcel.
    if (!isJugqError(error)) throw error;
    trace({ kind: 'trouble', reason: error.message });
  }
}

/**
 * Takes the record of an earlier attempt away that a result has overtaken.
 *
 * A dispatcher does so as well, but only for tasks of active runs.
 */
async function clearFailure(context: StoreContext, { id, attempted }: Put): Promise<void> {
  const { failureRevision } = attempted;
  if (failureRevision > 0) await dropRecord(context, id, failureRevision);
}

/** A record that stays harms nobody: a result beats it wherever both are looked at. */
async function dropRecord(context: StoreContext, id: TaskId, revision: number): Promise<void> {
  try {
    await context.project.failures.delete(id, revision);
  } catch (error) {
    if (!isJugqError(error)) throw error;
    context.trace({ kind: 'trouble', reason: error.message });
  }
}

/** Takes away whatever record stands against a task that has a result. */
export async function dropFailure(context: StoreContext, id: TaskId): Promise<void> {
  const entry = await context.project.failures.get(id);
  if (entry?.value !== undefined) await dropRecord(context, id, entry.revision);
}

/** A name of its own for each attempt: concurrent puts under one name would leave chunks behind. */
async function storeBlob(context: StoreContext, outcome: Done): Promise<BlobReference> {
  const { value, digest } = outcome;
  const reference = { blob: `${digest}.${ulid()}`, size: value.length, digest };
  for (;;) {
    try {
      await context.project.blobs.put(reference.blob, [value]);
      return reference;
    } catch (error) {
      context.onFull(error instanceof Error ? error.message : String(error));
      await new Promise((resolve) => setTimeout(resolve, fullRetryMs));
    }
  }
}

/** Unless the put had succeeded and only its acknowledgement was lost. */
async function discardBlob(
  context: StoreContext,
  reference: BlobReference,
  stored: Uint8Array,
): Promise<void> {
  if (Buffer.from(stored).includes(reference.blob)) return;
  // What stays behind is tidied up by whoever cleans the project.
  await context.project.blobs.delete(reference.blob).catch(() => undefined);
}

/** Why an attempt has no result. */
export interface AttemptFailure {
  readonly error: TaskError;
  readonly output: string;
  /** Failed for good, whatever the retries. */
  readonly final: boolean;
  readonly failureRevision: number;
  readonly strikes: number;
  /** How long the attempt took; absent if it did not come to an end by itself. */
  readonly ms?: number | undefined;
}

const backoffBaseMs = 1000;

/** Milliseconds until the attempt after this one: doubling, with jitter of half as much up or down. */
export function backoffMs(attempt: number, random: number): number {
  return Math.min(retryMsMax / 1.5, backoffBaseMs * 2 ** (attempt - 1)) * (0.5 + random);
}

/**
 * Writes a failure record; resolves when it, or a later word on the task, is there.
 *
 * @param attempted - `mayHaveTwin`: another worker may have been given the same message
 */
export async function storeFailure(
  context: StoreContext,
  attempted: { readonly task: ParcelTask; readonly mayHaveTwin: boolean },
  failure: AttemptFailure,
): Promise<void> {
  const { task, mayHaveTwin } = attempted;
  const final = failure.final || task.attempt > task.fn.retries;
  const record: FailureRecord = {
    format: recordFormat,
    kind: final ? 'final' : 'retry',
    task: task.id,
    attempt: task.attempt,
    strikes: failure.strikes,
    expects: task.expects,
    ...(final ? {} : { dueAt: Math.round(Date.now() + backoffMs(task.attempt, Math.random())) }),
    ...(failure.ms === undefined ? {} : { ms: Number(failure.ms.toFixed(3)) }),
    error: failure.error,
    ...(failure.output === '' ? {} : { output: failure.output }),
    worker: context.worker,
    at: new Date().toISOString(),
  };
  context.trace({ kind: 'task-failed', task: task.id, final, reason: failure.error.message });
  const revision = await putFailure(context, record, failure.failureRevision);
  // A look for each would be half of what a task costs that fails at once.
  if (revision === undefined || !mayHaveTwin) return;
  // Somebody else may have had more luck with the task: their result beats this record.
  const own = await context.project.results.readFromLeader(task.id);
  if (own?.present === true) await dropRecord(context, task.id, revision);
}

/**
 * Writes a record unless somebody has said something newer about the task.
 *
 * @returns the revision written; undefined if another word stands
 */
export async function putFailure(
  context: StoreContext,
  record: FailureRecord,
  expects: number,
): Promise<number | undefined> {
  const bytes = encodeRecord(record);
  for (;;) {
    try {
      const revision = await context.project.failures.put(record.task, bytes, expects);
      if (revision !== undefined) return revision;
      const found = await context.project.failures.get(record.task);
      // Its own: the acknowledgement was lost and the record sent again.
      if (found?.value !== undefined && Buffer.compare(found.value, bytes) === 0) {
        return found.revision;
      }
      if (found !== undefined) return undefined;
      // A bucket that was made anew has none of the revisions that the parcel knew.
      expects = 0;
    } catch (error) {
      context.onFull(error instanceof Error ? error.message : String(error));
      await new Promise((resolve) => setTimeout(resolve, fullRetryMs));
    }
  }
}
