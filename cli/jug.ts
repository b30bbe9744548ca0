/** What an open project offers to programs: see `connect`. */
import type { RunState } from '../core/records.ts';
import type { Value } from '../core/task.ts';
import type {
  CancelledTasks,
  Check,
  CleanUp,
  DiskUse,
  Exported,
  Imported,
  Invalidated,
  InvalidateOptions,
  Retried,
  Status,
  TaskDescription,
  TaskFailure,
} from './library-types.ts';
import type { SettingFlags } from './settings-table.ts';

/** Settings that are stronger than the environment and files; see the command line's flags of the same names. */
export type ConnectOptions = SettingFlags & {
  /** Directory that settings, the private server and jugfiles are looked for from; default: the process's. */
  readonly cwd?: string;
  /** Called with what a person would want to know (a lost connection); default: written to stderr. */
  readonly onNotice?: (message: string) => void;
};

export interface PlanOptions {
  /** What the jugfile's plan function gets. */
  readonly args?: readonly string[];
  /** Leave tasks that failed before as they are; default: they are tried again. */
  readonly keepFailed?: boolean;
  /** Patterns of the tasks that are wanted, with what they need; default: all tasks. */
  readonly targets?: readonly string[];
  /** The first task that fails for good ends the run. */
  readonly failFast?: boolean;
}

/** What is to stay in a clean-up. */
export interface CleanUpOptions {
  /** Jugfiles to be evaluated: what they declare now counts instead of their newest runs. */
  readonly jugfiles?: readonly string[];
  /** Runs whose results stay, by the beginnings of their ids. */
  readonly keep?: readonly string[];
  /** Patterns: only results of these tasks go, and nothing else. */
  readonly targets?: readonly string[];
  /** Remove nothing, only tell. */
  readonly dryRun?: boolean;
}

/** A worker in this program; what is absent is as the settings say. */
export interface WorkerOptions {
  readonly threads?: number;
  readonly queues?: readonly string[];
  /** Called with what a person would want to know; default: written to stderr. */
  readonly onMessage?: (message: string) => void;
}

/** A worker that runs. */
export interface RunningWorker {
  readonly id: string;
  /** Takes no more, finishes what it runs, and resolves with how many tasks it has started. */
  stop(): Promise<number>;
}

export interface LoadJugfileOptions {
  /** What the jugfile gets; default: the arguments of its newest run. */
  readonly args?: readonly string[];
  /** Wait until the results are there that planning waits for, whoever computes them; default: false. */
  readonly wait?: boolean;
}

/** Which failures are meant; all conditions have to hold. */
export interface FailureOptions {
  /** Patterns of functions, or beginnings of task ids. */
  readonly patterns?: readonly string[];
  /** A cause's id, or the class of the error. */
  readonly cause?: string;
  /** Of this run, by the beginning of its id; default: of the active runs, else of the newest. */
  readonly run?: string;
}

/** A run that was submitted. */
export interface PlannedRun {
  readonly id: string;
  /** Number of tasks. */
  readonly tasks: number;
  /** Of these, how many have a result already. */
  readonly cached: number;
  /** How many of those were made by other code than the present one, by function; empty: none. */
  readonly stale: Readonly<Record<string, number>>;
}

/** How a run ended. */
export interface RunEnd {
  readonly id: string;
  readonly state: RunState;
  readonly executed: number;
  readonly cached: number;
  readonly failed: number;
  readonly blocked: number;
}

export interface StatusOptions {
  /** Of this jugfile's tasks, which evaluates it; default: of the active runs, else of the newest. */
  readonly jugfile?: string;
  /** What the jugfile gets; default: the arguments of its newest run. */
  readonly args?: readonly string[];
  /** Of this run, by the beginning of its id. */
  readonly run?: string;
  /** Of all runs. */
  readonly all?: boolean;
  /** How long tasks took: reads the heads of all results. */
  readonly times?: boolean;
  /** How many results other code made: reads the heads of all results. */
  readonly stale?: boolean;
}

/** An open project. */
export interface Jug {
  /**
   * Evaluates a jugfile and gives its exports; tasks in them are handles for `result`.
   *
   * @typeParam E - type of the exports: `typeof import('./jugfile.ts')`
   * @throws JugqError as planning does; `PARKED` while planning waits for results, unless `wait` says to wait, too
   */
  load<E extends object = Record<string, unknown>>(
    jugfile: string,
    options?: LoadJugfileOptions,
  ): Promise<E>;
  /**
   * The value of a task, or of any structure with tasks in it.
   *
   * @throws JugqError `RESULT_MISSING`, naming what is missing
   */
  result<T>(x: T): Promise<Value<T>>;
  /** Whether every task in a structure has a result. */
  isFinished(x: unknown): Promise<boolean>;
  /**
   * How things stand.
   *
   * @throws JugqError `UNKNOWN_RUN`, `AMBIGUOUS_ID`; with a jugfile as planning does
   */
  status(options?: StatusOptions): Promise<Status>;
  /** How far the tasks of a jugfile are; without arguments it gets those of its newest run. */
  check(jugfile: string, options?: { readonly args?: readonly string[] }): Promise<Check>;
  /**
   * Where the result of a task came from.
   *
   * @param task - a task, its id, or the beginning of it
   * @throws JugqError `AMBIGUOUS_ID`, `RESULT_MISSING` if no stored plan declares it and it has no result
   */
  describe(
    task: string | { readonly id: string },
    options?: { readonly depth?: number; readonly width?: number },
  ): Promise<TaskDescription>;
  /** Plans a jugfile; workers execute it. */
  plan(jugfile: string, options?: PlanOptions): Promise<PlannedRun>;
  /**
   * Waits for the end of a run, whatever it is.
   *
   * @throws JugqError `TIMED_OUT`, `UNKNOWN_RUN`; `INTERRUPTED` if the project is closed meanwhile
   */
  wait(run: string | PlannedRun, options?: { readonly timeoutMs?: number }): Promise<RunEnd>;
  /**
   * Ends a run: nothing more of it is started, and what runs for it alone is ended; its results stay.
   *
   * @throws JugqError `UNKNOWN_RUN`, `AMBIGUOUS_ID`
   */
  cancel(run: string | PlannedRun): Promise<RunEnd>;
  /**
   * Takes tasks out of all active runs, or of one, with what depends on them; what is finished stays.
   *
   * @param patterns - the beginning of a function's name, `=name`, `/regex/` or the beginning of a task id
   * @throws JugqError `USAGE` if one of them hits nothing
   */
  cancelTasks(
    patterns: string | readonly string[],
    options?: { readonly run?: string },
  ): Promise<CancelledTasks>;
  /** Starts nothing more of a run until `resume`; what has begun is finished. Throws as `cancel` does. */
  pause(run: string | PlannedRun): Promise<void>;
  /** Lets a paused run go on. Throws as `cancel` does. */
  resume(run: string | PlannedRun): Promise<void>;
  /** The tasks that have failed for good and have no result. */
  failures(options?: FailureOptions): Promise<TaskFailure[]>;
  /** Tries again what has failed: all of it without options. A run that had ended is taken up from its stored plan. */
  retry(options?: FailureOptions): Promise<Retried>;
  /**
   * Drops results and all that was made of them; safe while workers run.
   *
   * @param patterns - the beginning of a function's name, `=name`, `/regex/` or the beginning of a task id
   * @throws JugqError `USAGE` if, of all results, one of the patterns hits nothing, or there is none
   */
  invalidate(
    patterns: string | readonly string[],
    options?: InvalidateOptions,
  ): Promise<Invalidated>;
  /** What the project keeps on the server, by function. Reads the heads of all results. */
  du(): Promise<DiskUse>;
  /**
   * Removes what no kept run refers to: results, failures, plans, bundles, blobs, and records of old runs.
   *
   * @throws JugqError `UNKNOWN_RUN`, `AMBIGUOUS_ID`; with jugfiles as planning does
   */
  cleanup(options?: CleanUpOptions): Promise<CleanUp>;
  /**
   * Writes results, plans and code of the project into one file; a name that ends in `.gz` is compressed.
   *
   * @param options.targets - patterns: only results of these tasks
   */
  export(file: string, options?: { readonly targets?: readonly string[] }): Promise<Exported>;
  /**
   * Takes up what `export` has written; nothing that is there is changed.
   *
   * @throws JugqError `VALUE_CORRUPT` if the file is damaged
   */
  import(file: string): Promise<Imported>;
  /** Starts a worker in this program, which also dispatches where nobody else does; `close` ends it. */
  startWorker(options?: WorkerOptions): Promise<RunningWorker>;
  /** Ends its workers when they have finished what they run, and whatever waits; what is called later is refused. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
