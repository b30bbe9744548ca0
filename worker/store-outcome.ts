/**
 * Makes an outcome last: a result or a failure record on the server, confirmed. Only after that is a task settled.
 *
 * A put that was refused is a question, not an answer: the key is read, and what stands there decides.
 */
import { ulid } from 'ulid';
import { isStorageFull, isWrongRevision } from '../broker/nats-errors.ts';
import type { OpenProject } from '../broker/project.ts';
import type { PublishOutcome } from '../broker/publisher.ts';
import type { ResultFacts } from '../broker/results.ts';
import { knownFailure } from '../broker/failures.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { BlobReference, Parcel, ParcelTask } from '../core/parcel.ts';
import { encodeRecord, recordFormat, type FailureRecord, type TaskError } from '../core/records.ts';
import type { Inputs } from './inputs.ts';
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

/** Stores a result; `settle` is called when it, or another one of the same task, is there, or it must not be. */
export function storeResult(
  context: StoreContext,
  parcel: Parcel,
  task: ParcelTask,
  outcome: Done,
  settle: () => void,
): void {
  const { id } = task;
  context.trace({ kind: 'result-computed', task: id });
  const facts: ResultFacts = {
    worker: context.worker,
    ms: outcome.ms,
    attempt: task.attempt,
    fingerprint: parcel.fingerprint,
    digest: outcome.digest,
  };
  const result = { id, facts, expects: task.expects, bytes: outcome.value, parcel, task };
  if (outcome.value.length <= context.project.results.inlineBytesMax) {
    put(context, { ...result, value: outcome.value }, settle);
    return;
  }
  void storeBlob(context, outcome).then((reference) => {
    put(context, { ...result, value: reference }, settle);
  });
}

interface Put {
  readonly id: TaskId;
  readonly facts: ResultFacts;
  readonly expects: number;
  readonly value: Uint8Array | BlobReference;
  readonly bytes: Uint8Array;
  readonly parcel: Parcel;
  readonly task: ParcelTask;
}

function put(context: StoreContext, result: Put, settle: () => void): void {
  context.project.results.put(result, (outcome) => {
    if (outcome.kind === 'stored') {
      context.trace({ kind: 'result-stored', task: result.id });
      context.inputs.remember(result.id, outcome.sequence, result.bytes);
      context.onFull(undefined);
      settle();
    } else {
      void question(context, result, outcome, settle);
    }
  });
}

/** Reads what stands where the put was refused. Reading waits for the server as long as it takes. */
async function question(
  context: StoreContext,
  result: Put,
  refusal: PublishOutcome & { kind: 'refused' },
  settle: () => void,
): Promise<void> {
  const { project, trace } = context;
  if (isStorageFull(refusal)) {
    // The computed value is kept, and heartbeats go on, until there is room.
    context.onFull(refusal.description);
    setTimeout(() => {
      put(context, result, settle);
    }, fullRetryMs);
    return;
  }
  if (!isWrongRevision(refusal)) {
    const message = `the server refuses the result: ${refusal.description}`;
    const error = { name: 'VALUE_NOT_STORABLE', message, stack: '' };
    const failureRevision = result.task.failureExpects;
    const failure = { error, output: '', final: true, failureRevision, strikes: 0 };
    await storeFailure(context, result.parcel, result.task, failure);
    settle();
    return;
  }
  const found = await project.results.readFromLeader(result.id);
  if (found === undefined) {
    put(context, { ...result, expects: 0 }, settle);
    return;
  }
  const same = found.facts?.digest === result.facts.digest;
  const why = !found.present ? 'invalidated' : same ? 'twin' : 'differs';
  trace({ kind: 'result-refused', task: result.id, why });
  if (!(result.value instanceof Uint8Array)) await discardBlob(context, result.value, found.data);
  settle();
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
}

const backoffBaseMs = 1000;
const backoffMaxMs = 60_000;

/** Milliseconds until the attempt after this one: doubling, with jitter of half as much up or down. */
export function backoffMs(attempt: number, random: number): number {
  return Math.min(backoffMaxMs, backoffBaseMs * 2 ** (attempt - 1)) * (0.5 + random);
}

/** Writes a failure record; resolves when it, or a later word on the task, is there. */
export async function storeFailure(
  context: StoreContext,
  parcel: Parcel,
  task: ParcelTask,
  failure: AttemptFailure,
): Promise<void> {
  const final = failure.final || task.attempt > parcel.retries;
  const record: FailureRecord = {
    format: recordFormat,
    kind: final ? 'final' : 'retry',
    task: task.id,
    attempt: task.attempt,
    strikes: failure.strikes,
    expects: task.expects,
    ...(final ? {} : { dueAt: Math.round(Date.now() + backoffMs(task.attempt, Math.random())) }),
    error: failure.error,
    ...(failure.output === '' ? {} : { output: failure.output }),
    worker: context.worker,
    at: new Date().toISOString(),
  };
  context.trace({ kind: 'task-failed', task: task.id, final, reason: failure.error.message });
  await putFailure(context, record, failure.failureRevision);
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
  for (;;) {
    try {
      const revision = await context.project.failures.put(
        record.task,
        encodeRecord(record),
        expects,
      );
      if (revision !== undefined || expects === 0) return revision;
      // A bucket that was made anew has none of the revisions that the parcel knew.
      const found = await context.project.failures.get(record.task);
      if (found !== undefined && knownFailure(found).kind !== 'strike') return undefined;
      expects = found?.revision ?? 0;
    } catch (error) {
      context.onFull(error instanceof Error ? error.message : String(error));
      await new Promise((resolve) => setTimeout(resolve, fullRetryMs));
    }
  }
}
