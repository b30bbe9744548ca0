/** The library for programs: load a jugfile, read results, plan, wait. */
import { JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import { addCounts, isOver, type RunRecord, type RunState } from '../core/records.ts';
import type { Value } from '../core/task.ts';
import { parsePatterns } from '../core/patterns.ts';
import { cancelRun, pauseRun, resumeRun } from './cancel-run.ts';
import { cancelTasks } from './cancel-tasks.ts';
import { checkLoaded } from './check-jugfile.ts';
import { describeTask } from './describe-task.ts';
import { findTask } from './find-task.ts';
import { describeFailure } from './failures.ts';
import { findDoomed, invalidateDoomed, summaryOf } from './invalidate.ts';
import type {
  CancelledTasks,
  Check,
  Invalidated,
  Retried,
  Status,
  TaskDescription,
  TaskFailure,
} from './library-types.ts';
import { decodeExport, resolveResults, tasksIn } from './find-result.ts';
import { newestArguments } from './get-result.ts';
import { loadJugfile } from './load-jugfile.ts';
import { optionsOf } from './plan-options.ts';
import { retryFailures } from './retry-failures.ts';
import { openSession, type Session } from './session.ts';
import { loadSettings } from './settings.ts';
import type { SettingFlags } from './settings-table.ts';
import { chosenFailures, type ChosenFailures } from './show-failures.ts';
import { readStatus } from './show-status.ts';
import { submitRun } from './submit-run.ts';
import { watchRun } from './watch-run.ts';

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
   * @throws JugqError as planning does
   */
  load<E extends object = Record<string, unknown>>(
    jugfile: string,
    options?: { readonly args?: readonly string[] },
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
   * @throws JugqError `TIMED_OUT`, `UNKNOWN_RUN`
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
   * @throws JugqError `USAGE` if one of them hits nothing
   */
  invalidate(
    patterns: string | readonly string[],
    options?: { readonly dryRun?: boolean },
  ): Promise<Invalidated>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Connects to a project as the command line would from the same directory: flags, environment, files.
 *
 * @throws JugqError when there is no usable server
 */
export async function connect(options: ConnectOptions = {}): Promise<Jug> {
  const { cwd = process.cwd(), onNotice, ...flags } = options;
  const say = onNotice ?? ((line: string): void => void process.stderr.write(`${line}\n`));
  const loaded = loadSettings({ flags, env: process.env, cwd });
  const session = await openSession(loaded, { cwd, role: 'program', say });
  return new OpenJug(session, say);
}

class OpenJug implements Jug {
  readonly #session: Session;
  readonly #say: (line: string) => void;
  #dispatcher: { stop(): Promise<void> } | undefined;

  constructor(session: Session, say: (line: string) => void) {
    this.#session = session;
    this.#say = say;
  }

  async load<E extends object>(
    jugfile: string,
    options: { readonly args?: readonly string[] } = {},
  ): Promise<E> {
    const loaded = await this.#lookAt(jugfile, options.args);
    const exports = [...loaded.exports].flatMap(([name, each]) =>
      each.kind === 'value' ? [[name, decodeExport(loaded, each.bytes)] as const] : [],
    );
    return Object.fromEntries(exports) as E;
  }

  async result<T>(x: T): Promise<Value<T>> {
    return (await resolveResults(this.#session.project, x)) as Value<T>;
  }

  async isFinished(x: unknown): Promise<boolean> {
    const { results } = this.#session.project;
    const found = await Promise.all([...tasksIn(x)].map((id) => results.read(id)));
    return found.every((each) => each?.present === true);
  }

  async status(options: StatusOptions = {}): Promise<Status> {
    const { jugfile, run, args = [], all = false, times = false, stale = false } = options;
    const context = { stderr: process.stderr, interrupted: new AbortController().signal };
    return readStatus(this.#session, { jugfile, run, args, all, times, stale, context });
  }

  async check(
    jugfile: string,
    options: { readonly args?: readonly string[] } = {},
  ): Promise<Check> {
    return checkLoaded(this.#session.project, await this.#lookAt(jugfile, options.args));
  }

  async describe(
    task: string | { readonly id: string },
    options: { readonly depth?: number; readonly width?: number } = {},
  ): Promise<TaskDescription> {
    const found = await findTask(this.#session.project, typeof task === 'string' ? task : task.id);
    return describeTask(this.#session.project, found, { depth: 2, width: 10, ...options });
  }

  async plan(jugfile: string, options: PlanOptions = {}): Promise<PlannedRun> {
    const loaded = await this.#loadJugfile(jugfile, options.args ?? []);
    const { project } = this.#session;
    const { keepFailed = false, failFast = false, targets = [] } = options;
    const wish = optionsOf({ keepFailed, failFast, targets }, loaded);
    const { record, complete } = await submitRun(project, loaded, wish);
    if (!complete) this.#dispatch();
    return { id: record.id, tasks: loaded.graph.count, cached: record.cached };
  }

  async wait(
    run: string | PlannedRun,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<RunEnd> {
    const id = (typeof run === 'string' ? run : run.id) as RunId;
    const known = await this.#session.project.runs.get(id);
    if (known?.value === undefined) {
      throw new JugqError('UNKNOWN_RUN', `there is no run ${id}: plan one first`);
    }
    const record = await watchRun(this.#session.project, {
      run: id,
      onChange: () => undefined,
      until: (each) => isOver(each.state),
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
    return endOf(record);
  }

  async cancel(run: string | PlannedRun): Promise<RunEnd> {
    return endOf((await cancelRun(this.#session, { run: idOf(run) })).record);
  }

  cancelTasks(
    patterns: string | readonly string[],
    { run }: { readonly run?: string } = {},
  ): Promise<CancelledTasks> {
    const all = typeof patterns === 'string' ? [patterns] : patterns;
    return cancelTasks(this.#session, { patterns: all, run });
  }

  async pause(run: string | PlannedRun): Promise<void> {
    await pauseRun(this.#session, { run: idOf(run) });
  }

  async resume(run: string | PlannedRun): Promise<void> {
    await resumeRun(this.#session, { run: idOf(run) });
  }

  async failures(options: FailureOptions = {}): Promise<TaskFailure[]> {
    const { project } = this.#session;
    const { failures } = await chosenFailures(this.#session, choiceOf(options));
    return Promise.all(failures.map((each) => describeFailure(project, each)));
  }

  async retry(options: FailureOptions = {}): Promise<Retried> {
    const { failures } = await chosenFailures(this.#session, choiceOf(options));
    if (failures.length > 0) this.#dispatch();
    return retryFailures(this.#session.project, failures);
  }

  async invalidate(
    patterns: string | readonly string[],
    options: { readonly dryRun?: boolean } = {},
  ): Promise<Invalidated> {
    const { project } = this.#session;
    const all = typeof patterns === 'string' ? [patterns] : patterns;
    const doomed = await findDoomed(project, parsePatterns(all));
    if (options.dryRun === true) return summaryOf(doomed);
    return invalidateDoomed(project, doomed, () => undefined);
  }

  async close(): Promise<void> {
    await this.#dispatcher?.stop();
    await this.#session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Somebody must dispatch, and workers may come later: this program is a candidate until it closes. */
  #dispatch(): void {
    this.#dispatcher ??= this.#session.startDispatcher(() => undefined);
  }

  async #lookAt(
    jugfile: string,
    args: readonly string[] | undefined,
  ): ReturnType<typeof loadJugfile> {
    return this.#loadJugfile(jugfile, args ?? (await newestArguments(this.#session, jugfile)));
  }

  #loadJugfile(jugfile: string, args: readonly string[]): ReturnType<typeof loadJugfile> {
    return loadJugfile(jugfile, {
      cwd: this.#session.cwd,
      args,
      external: this.#session.settings.external,
      store: this.#session.store,
      onWarning: this.#say,
      onProgress: () => undefined,
    });
  }
}

function idOf(run: string | PlannedRun): string {
  return typeof run === 'string' ? run : run.id;
}

function choiceOf({ patterns = [], cause, run }: FailureOptions): ChosenFailures {
  return { patterns, cause, run };
}

function endOf(record: RunRecord): RunEnd {
  const { id, state, executed, cached } = record;
  const { failed, blocked } = addCounts(Object.values(record.functions));
  return { id, state, executed, cached, failed, blocked };
}
