/** The records that jugq keeps as JSON in its buckets, so that any NATS tool shows them. */
import { JugqError } from './errors.ts';
import type { RunId, TaskId } from './identifiers.ts';
import { requireFormat } from './wire.ts';

export const recordFormat = 1;

/** The states of a task that are counted. */
export const countedStates = [
  'failed',
  'blocked',
  'waiting',
  'ready',
  'running',
  'finished',
] as const;
export type CountedState = (typeof countedStates)[number];
export type Counts = Record<CountedState, number>;

/** What is said of one task; what is cancelled or dropped is in none of the counts. */
export const taskStates = [...countedStates, 'cancelled', 'dropped'] as const;
export type TaskState = (typeof taskStates)[number];

export type RunState =
  'planning' | 'parked' | 'running' | 'paused' | 'finished' | 'failed' | 'cancelled';

/** One run, as its planner wrote it and the dispatcher keeps it. */
export interface RunRecord {
  readonly format: number;
  readonly id: RunId;
  readonly state: RunState;
  /** Path of the jugfile from the root of the planner's project, with `/`. */
  readonly jugfile: string;
  readonly args: readonly string[];
  readonly host: string;
  readonly pid: number;
  /** ISO 8601. */
  readonly plannedAt: string;
  readonly endedAt?: string;
  /** Digest of the bundle. */
  readonly code: string;
  /** Name of the stored plan; absent while planning. */
  readonly plan?: string;
  /** How often a plan was stored: each time that planning stopped to wait for a value, and at its end. */
  readonly step: number;
  /** What planning waits for, for people; absent when the plan is whole. */
  readonly waits?: string;
  /** The step after which planning can go on, because what it waits for is there. */
  readonly awake?: number;
  /** Last revision of the results when the run was planned: a later result was executed, an earlier one was there. */
  readonly basis: number;
  /** By function; `running` is 0 here, workers report it. */
  readonly functions: Readonly<Record<string, Counts>>;
  /** Of each function's code, by name. */
  readonly fingerprints: Readonly<Record<string, string>>;
  /** The queue of each function, by name. */
  readonly queues: Readonly<Record<string, string>>;
  readonly executed: number;
  readonly cached: number;
  /** Patterns of the tasks that are wanted, with what they need; absent: all. */
  readonly targets?: readonly string[];
  /** The first task that fails for good ends the run. */
  readonly failFast?: boolean;
  /** Tasks that a dispatcher has published for this run so far. */
  readonly published: number;
  /** Lease under which the record was last written. */
  readonly epoch: number;
  /** Patterns of the tasks that somebody has cancelled, as far as a dispatcher has taken them in. */
  readonly cancelling?: readonly string[];
  /** How many tasks of each function are cancelled; they are in no other count. */
  readonly cancelled?: Readonly<Record<string, number>>;
  /** How many intermediate results of each function are dropped and not needed; they are in no other count. */
  readonly dropped?: Readonly<Record<string, number>>;
  /** Results of each function that were invalidated after the run had ended; they are in no other count. */
  readonly invalidated?: Readonly<Record<string, number>>;
  /** Results of each function that counted when the run was planned and were made by other code than the plan's. */
  readonly stale?: Readonly<Record<string, number>>;
  /** What keeps the run from moving, if anything does. */
  readonly note?: string;
}

/** Somebody wishes tasks of a run cancelled, with what depends on them. */
export interface CancelTasksWish {
  readonly format: number;
  readonly patterns: readonly string[];
}

/** Somebody wishes a run cancelled. */
export interface CancelWish {
  readonly format: number;
  /** What has begun may finish; otherwise it is ended. */
  readonly finish: boolean;
}

/** An error of a user's task, as it is kept. */
export interface TaskError {
  readonly name: string;
  readonly message: string;
  /** The user's own frames, one a line. */
  readonly stack: string;
}

/**
 * Why a task has no result.
 *
 * `retry`: an attempt failed and the next is due at `dueAt`. `final`: it failed for good. `strike`: a worker is about
 * to try a task that may have killed a worker; if nothing follows, it may have done so again.
 */
export interface FailureRecord {
  readonly format: number;
  readonly kind: 'retry' | 'final' | 'strike';
  readonly task: TaskId;
  readonly attempt: number;
  /** Processes of its own that it is known to have taken down with it, one after the other. */
  readonly strikes: number;
  /** Times in a row that it was begun by itself and nothing was heard of it again, nor of its worker. */
  readonly vanished?: number;
  /** Revision of the task's key that the attempt was for; a later entry of it makes the record void. */
  readonly expects: number;
  /** Epoch ms by the clock of its worker, as `at`; only of a `retry`. */
  readonly dueAt?: number;
  /** How long the attempt took; absent if it did not come to an end by itself. */
  readonly ms?: number;
  readonly error: TaskError;
  /** The last of what the task printed. */
  readonly output?: string;
  readonly worker: string;
  /** ISO 8601. */
  readonly at: string;
}

/**
 * Whether a failed attempt says nothing of its task any more: it had inputs that were invalidated meanwhile. Strikes
 * always count: they accuse the task, whatever its inputs were.
 *
 * @param revision - of the last entry of the task's key, 0: none
 */
export function isVoid(
  { kind, expects }: { readonly kind: string; readonly expects: number },
  revision: number,
): boolean {
  return kind !== 'strike' && expects < revision;
}

/** Two executions of one task gave different results, from the same inputs and with the same code. */
export interface DifferenceRecord {
  readonly format: number;
  readonly task: TaskId;
  /** What counts: the result that came first. */
  readonly stored: DifferingResult;
  readonly other: DifferingResult;
  /** ISO 8601. */
  readonly at: string;
}

/** One of the two. */
export interface DifferingResult {
  readonly worker: string;
  /** Of the CBOR of the result. */
  readonly digest: string;
}

/** Longest time between an attempt that failed and the next, ms. */
export const retryMsMax = 90_000;

/** How far a task says that it has come. */
export interface TaskProgress {
  readonly task: TaskId;
  /** From 0 to 1. */
  readonly fraction: number;
  readonly note?: string;
}

/** A worker, as it reports itself. */
export interface WorkerRecord {
  readonly format: number;
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly threads: number;
  readonly queues: readonly string[];
  /** ISO 8601. */
  readonly startedAt: string;
  /** Tasks that run now, by function. */
  readonly running: Readonly<Record<string, number>>;
  /** Of those running tasks that tell it. */
  readonly progress?: readonly TaskProgress[];
  /** What keeps it from working, if anything does. */
  readonly note?: string;
}

/** Who dispatches. */
export interface LeaseRecord {
  readonly format: number;
  readonly holder: string;
  readonly host: string;
  readonly pid: number;
  /** ISO 8601; of this renewal, so that no two of them are the same even where revisions were counted anew. */
  readonly at: string;
}

/** Whether a run has come to its end. */
export function isOver(state: RunState): boolean {
  return state === 'finished' || state === 'failed' || state === 'cancelled';
}

/** What stands under a function's name: one called `toString` is not to find what every object inherits. */
export function valueFor<V>(all: Readonly<Record<string, V>>, name: string): V | undefined {
  return Object.hasOwn(all, name) ? all[name] : undefined;
}

/** No task in any state. */
export function noCounts(): Counts {
  return { failed: 0, blocked: 0, waiting: 0, ready: 0, running: 0, finished: 0 };
}

/** Totals over functions. */
export function addCounts(all: Iterable<Counts>): Counts {
  const sum = noCounts();
  for (const counts of all) for (const state of countedStates) sum[state] += counts[state];
  return sum;
}

/** A record as bytes. */
export function encodeRecord(record: { readonly format: number }): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/** Fields that a record must have, and their types: what another tool has put under a key may be anything. */
export type Shape<R> = Readonly<
  Partial<Record<keyof R, 'string' | 'number' | 'boolean' | 'object'>>
>;

export const runShape: Shape<RunRecord> = {
  ...{ id: 'string', state: 'string', jugfile: 'string', args: 'object', plannedAt: 'string' },
  ...{ code: 'string', step: 'number', basis: 'number', epoch: 'number', published: 'number' },
  ...{ functions: 'object', fingerprints: 'object', queues: 'object' },
  ...{ executed: 'number', cached: 'number' },
};
export const failureShape: Shape<FailureRecord> = {
  ...{ kind: 'string', task: 'string', attempt: 'number', strikes: 'number', expects: 'number' },
  error: 'object',
};
export const workerShape: Shape<WorkerRecord> = {
  ...{ id: 'string', host: 'string', threads: 'number', queues: 'object', running: 'object' },
};
export const differenceShape: Shape<DifferenceRecord> = {
  ...{ task: 'string', stored: 'object', other: 'object' },
};

/**
 * Reads a record of the kind that the bucket holds.
 *
 * @param shape - fields without which it is no such record
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodeRecord<R extends { readonly format: number }>(
  bytes: Uint8Array,
  what: string,
  shape?: Shape<R>,
): R {
  const record = parseObject(bytes);
  if (record === undefined) throw notOurs(what);
  requireFormat(record['format'], recordFormat, what);
  for (const [field, type] of Object.entries(shape ?? {})) {
    const value = record[field];
    if (typeof value !== type || value === null) throw notOurs(what);
  }
  return record as unknown as R;
}

/** The state in a run's record of a newer format, where it stands as it does here; undefined: it is no such record. */
export function stateInNewer(bytes: Uint8Array): RunState | undefined {
  const { format, state } = parseObject(bytes) ?? {};
  const isNewer = typeof format === 'number' && format > recordFormat;
  return isNewer && typeof state === 'string' ? (state as RunState) : undefined;
}

function parseObject(bytes: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const isObject = typeof value === 'object' && value !== null && 'format' in value;
    return isObject ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function notOurs(what: string): JugqError {
  return new JugqError('VALUE_CORRUPT', `${what} is not readable: it was not written by jugq`);
}
