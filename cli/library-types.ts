/** What the library answers programs with: kept apart, so that no type of the NATS client reaches a user's compiler. */
import type { Counts, RunState, TaskState, WorkerRecord } from '../core/records.ts';

/** How far the tasks of a jugfile are. */
export interface Check {
  /** Every task has a result, and planning waits for nothing. */
  readonly done: boolean;
  readonly totals: Counts;
  readonly functions: Readonly<Record<string, Counts>>;
  /** Where in the jugfile planning waits for results: what comes after is not known yet. */
  readonly parkedAt: readonly string[];
  /** How many of the results were made by other code than the present one, by function; empty: none. */
  readonly stale: Readonly<Record<string, number>>;
}

/** Where a result came from, or why there is none. */
export interface TaskDescription {
  readonly task: string;
  readonly function: string;
  readonly state: TaskState;
  /** The newest run that declares it; absent if no stored plan does, or if the task was named by a jugfile's export. */
  readonly run?: string;
  readonly jugfile?: string;
  /**
   * The arguments as JSON, mapped as `get` does, a task among them as `{ "task": id }`. Absent if no stored plan
   * declares the task, and where they are over 64 KiB.
   */
  readonly arguments?: readonly unknown[];
  /** The arguments as Node would show them, cut. */
  readonly argumentsText?: string;
  readonly result?: ResultDescription;
  readonly failure?: FailureDescription;
  /** Whether the newest plan's code of the function is that which made the result. */
  readonly code: 'same' | 'other' | 'unknown';
  readonly dependencies: readonly DependencyDescription[];
  /** How many further dependencies are left out. */
  readonly more: number;
}

/** A stored result. */
export interface ResultDescription {
  /** ISO 8601, by the server's clock. */
  readonly at: string;
  readonly worker: string;
  /** How long the function ran. */
  readonly ms: number;
  readonly attempt: number;
  /** Of the code that made it. */
  readonly fingerprint: string;
  /** Of the CBOR of the value. */
  readonly bytes: number;
  /** Whether it lies in the object store. */
  readonly large: boolean;
}

/** Why a task failed. */
export interface FailureDescription {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly attempt: number;
  readonly worker: string;
  /** ISO 8601. */
  readonly at: string;
  /** False: it is tried again. */
  readonly final: boolean;
}

/** A task that another one takes as an argument, and in turn what that one takes. */
export interface DependencyDescription {
  readonly task: string;
  readonly state: TaskState;
  readonly worker?: string;
  readonly ms?: number;
  /** Absent: not looked at, because the tree is as deep as asked, or because the task stands in it before. */
  readonly dependencies?: readonly DependencyDescription[];
  /** How many further dependencies are left out. */
  readonly more: number;
}

/** Tasks by state; `stale` where it was asked for: finished ones whose result other code made. */
export type StatusCounts = Readonly<Counts> & { readonly stale?: number };

/** How long the tasks of a function took, over all its results. */
export interface FunctionTimes {
  readonly results: number;
  readonly meanMs: number;
  readonly p95Ms: number;
  readonly totalMs: number;
}

/** How the tasks of a project's runs, or of a jugfile, stand. */
export interface Status {
  readonly project: string;
  readonly totals: StatusCounts;
  /** By function, sorted by name. */
  readonly functions: Readonly<Record<string, StatusCounts>>;
  /** Only where they were asked for. */
  readonly times?: Readonly<Record<string, FunctionTimes>>;
  readonly runs: readonly {
    readonly id: string;
    readonly state: RunState;
    readonly jugfile: string;
    readonly plannedAt: string;
    /** Results by function that were invalidated after its end. */
    readonly invalidated?: Readonly<Record<string, number>>;
    readonly note?: string;
  }[];
  readonly workers: readonly WorkerStatus[];
  /** Why nothing moves, as far as that can be told. */
  readonly notes: readonly string[];
}

/** A worker, and whether it has not been heard of for a while: killed, asleep or cut off. */
export interface WorkerStatus extends WorkerRecord {
  readonly silent: boolean;
}

/** What the results of a function take up. */
export interface FunctionUse {
  readonly results: number;
  /** Of the values in the bucket of the results; a large one has its blob instead. */
  readonly bytes: number;
  readonly blobs: number;
  readonly blobBytes: number;
}

/** What a project keeps on the server. */
export interface DiskUse {
  readonly project: string;
  /** By function, sorted by name. */
  readonly functions: Readonly<Record<string, FunctionUse>>;
  /** Arguments too large to travel in a message. */
  readonly arguments: ObjectsUse;
  /** Blobs that are neither arguments nor the result of a task. */
  readonly unreferenced: ObjectsUse;
  readonly plans: ObjectsUse;
  readonly code: ObjectsUse;
  /** Of everything, with the headers and keys. */
  readonly bytes: number;
}

/** Objects of a store. */
export interface ObjectsUse {
  readonly objects: number;
  readonly bytes: number;
}

/** What a clean-up removed, or would remove. */
export interface CleanUp {
  /** Why nothing was removed; absent: it was done. */
  readonly spared?: string;
  readonly results: number;
  /** Of these results by function, sorted by name. */
  readonly functions: Readonly<Record<string, ObjectsUse>>;
  readonly failures: number;
  readonly plans: number;
  readonly bundles: number;
  readonly blobs: number;
  /** Records of runs that had ended and are not kept. */
  readonly runs: number;
  /** Of values, blobs, plans and bundles together. */
  readonly bytes: number;
  /** The runs whose plans were kept. */
  readonly kept: readonly string[];
}

/** What is cancelled of the runs that were meant, earlier cancellations included. */
export interface CancelledTasks {
  readonly tasks: number;
  /** By function, sorted by name. */
  readonly functions: Readonly<Record<string, number>>;
  readonly runs: readonly {
    readonly id: string;
    readonly state: RunState;
    /** Tasks that are neither finished nor cancelled. */
    readonly left: number;
  }[];
}

/** How much an export has written. */
export interface Exported {
  readonly results: number;
  readonly blobs: number;
  readonly plans: number;
  readonly code: number;
  readonly runs: number;
}

/** What became of what was in an imported file. */
export interface Imported {
  /** Results that are there now and were not before. */
  readonly results: number;
  /** Results that were there, and are the same. */
  readonly there: number;
  /** Results that were there, and are others: those that were there stay. */
  readonly other: number;
  /** Of `results`, those that had been invalidated or cleaned up here. */
  readonly revived: number;
  readonly blobs: number;
  readonly plans: number;
  readonly code: number;
  readonly runs: number;
}

/** What is to be invalidated, and how. */
export interface InvalidateOptions {
  /** Only results that other code made than that of the newest plan that declares their task; no pattern: all of these. */
  readonly stale?: boolean;
  /** Of compounds that match, the tasks inside of them, too. */
  readonly inner?: boolean;
  /** Change nothing; tell what would go. */
  readonly dryRun?: boolean;
}

/** What was invalidated. */
export interface Invalidated {
  /** Tasks that matched, inner tasks that were to go with them, and all that depend on one of these. */
  readonly tasks: number;
  /** Of these, how many had a result. */
  readonly results: number;
  readonly functions: Readonly<Record<string, InvalidatedFunction>>;
}

/** What was invalidated of one function. */
export interface InvalidatedFunction {
  readonly tasks: number;
  readonly results: number;
  /** How many matched themselves; the others are inner tasks of such ones, or depend on one of these. */
  readonly matched: number;
  /** How many are inner tasks of compounds that matched; absent if none. */
  readonly inner?: number;
}

/** A task that failed for good. */
export interface TaskFailure {
  readonly task: string;
  readonly function: string;
  /** The newest of the runs that were asked about that declares it. */
  readonly run: string;
  readonly name: string;
  readonly message: string;
  /** Its own text and the user's own frames. */
  readonly stack: string;
  readonly attempts: number;
  /** How many processes it may have taken down. */
  readonly strikes: number;
  readonly worker: string;
  /** ISO 8601. */
  readonly at: string;
  /** The last of what it printed. */
  readonly output?: string;
  /** Names its cause; see `status --failed`. */
  readonly cause: string;
  readonly arguments?: readonly unknown[];
  readonly argumentsText?: string;
}

/** What became of failures that are to be tried again. */
export interface Retried {
  /** Failure records that are gone. */
  readonly cleared: number;
  /** Runs that go on with these tasks. */
  readonly runs: readonly RetriedRun[];
}

/** A run that goes on with what had failed. */
export interface RetriedRun {
  readonly run: string;
  /** The run that had ended, and whose plan this one has; absent: it was active all the while. */
  readonly again?: string;
}
