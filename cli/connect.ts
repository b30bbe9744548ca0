/** The library for programs: load a jugfile, read results, plan, wait. */
import { resolve } from 'node:path';
import { JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import { addCounts, isOver, type RunRecord } from '../core/records.ts';
import type { Value } from '../core/task.ts';
import { matchesTask, parsePatterns } from '../core/patterns.ts';
import { untilWhole } from './await-jugfile.ts';
import {
  requireObject,
  requireOptions,
  requireRun,
  requireText,
  requireTexts,
} from './call-arguments.ts';
import { cancelRun, pauseRun, resumeRun } from './cancel-run.ts';
import { cancelTasks } from './cancel-tasks.ts';
import { checkLoaded } from './check-jugfile.ts';
import { cleanUp, type CleanUpWish } from './clean-up.ts';
import { textLog } from './daemon-log.ts';
import { measureUse } from './disk-use.ts';
import { exportTo } from './export-project.ts';
import { importFrom } from './import-project.ts';
import { findRun } from './runs.ts';
import type { StartedWorker } from './start-worker.ts';
import { describeTask } from './describe-task.ts';
import { findTask } from './find-task.ts';
import { describeFailure } from './failures.ts';
import { findDoomed, invalidateDoomed, summaryOf } from './invalidate.ts';
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
import type {
  CleanUpOptions,
  ConnectOptions,
  FailureOptions,
  Jug,
  LoadJugfileOptions,
  PlanOptions,
  PlannedRun,
  RunEnd,
  RunningWorker,
  StatusOptions,
  WorkerOptions,
} from './jug.ts';
import { decodeExport, resolveResults, tasksIn } from './find-result.ts';
import { newestArguments } from './get-result.ts';
import { openJugfile, requireWhole, type LoadedJugfile } from './load-jugfile.ts';
import { optionsOf } from './plan-options.ts';
import { retryFailures } from './retry-failures.ts';
import { openSession, type Session } from './session.ts';
import { loadSettings, readGiven } from './settings.ts';
import { chosenFailures, type ChosenFailures } from './show-failures.ts';
import { readStatus } from './show-status.ts';
import { submitRun } from './submit-run.ts';
import { watchRun } from './watch-run.ts';

/**
 * Connects to a project as the command line would from the same directory: flags, environment, files.
 *
 * @throws JugqError when there is no usable server
 */
export async function connect(options: ConnectOptions = {}): Promise<Jug> {
  requireObject(options, 'connect');
  const { cwd = process.cwd(), onNotice, ...flags } = options;
  const say = onNotice ?? ((line: string): void => void process.stderr.write(`${line}\n`));
  const flagOrigin = (key: string): string => `the option ${key} of connect`;
  const loaded = loadSettings({ flags, flagOrigin, env: process.env, cwd });
  const session = await openSession(loaded, { cwd, role: 'program', say });
  return new OpenJug(session, say);
}

class OpenJug implements Jug {
  readonly #opened: Session;
  readonly #say: (line: string) => void;
  readonly #workers = new Set<RunningWorker>();
  /** Ends whatever waits. */
  readonly #closing = new AbortController();
  #dispatcher: { stop(): Promise<void> } | undefined;
  #closed: Promise<void> | undefined;

  constructor(session: Session, say: (line: string) => void) {
    this.#opened = session;
    this.#say = say;
  }

  get #session(): Session {
    if (this.#closed === undefined) return this.#opened;
    throw new JugqError('USAGE', 'this project has been closed by close(): connect() again');
  }

  async load<E extends object>(jugfile: string, options: LoadJugfileOptions = {}): Promise<E> {
    const loaded = await this.#lookAt(jugfile, options);
    requireWhole(loaded);
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
    const found = await Promise.all([...tasksIn(x)].map((id) => results.readLast(id)));
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
    return checkLoaded(this.#session.project, await this.#lookAt(jugfile, options));
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
    const { id, cached, stale = {} } = record;
    return { id, tasks: loaded.graph.count, cached, stale };
  }

  async wait(
    run: string | PlannedRun,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<RunEnd> {
    const id = requireRun(run, 'jug.wait') as RunId;
    const known = await this.#session.project.runs.get(id);
    if (known?.value === undefined) {
      throw new JugqError('UNKNOWN_RUN', `there is no run ${id}: plan one first`);
    }
    const record = await watchRun(this.#session.project, {
      run: id,
      onChange: () => undefined,
      until: (each) => isOver(each.state),
      signal: this.#closing.signal,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
    return endOf(record);
  }

  async cancel(run: string | PlannedRun): Promise<RunEnd> {
    return endOf((await cancelRun(this.#session, { run: requireRun(run, 'jug.cancel') })).record);
  }

  async cancelTasks(
    patterns: string | readonly string[],
    { run }: { readonly run?: string } = {},
  ): Promise<CancelledTasks> {
    const all = requireTexts(patterns, 'jug.cancelTasks: a pattern');
    return cancelTasks(this.#session, { patterns: all, run });
  }

  async pause(run: string | PlannedRun): Promise<void> {
    await pauseRun(this.#session, { run: requireRun(run, 'jug.pause') });
  }

  async resume(run: string | PlannedRun): Promise<void> {
    await resumeRun(this.#session, { run: requireRun(run, 'jug.resume') });
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
    options: InvalidateOptions = {},
  ): Promise<Invalidated> {
    const { project } = this.#session;
    const { stale = false, inner = false, dryRun = false } = options;
    const all =
      stale && patterns.length === 0 ? [] : requireTexts(patterns, 'jug.invalidate: a pattern');
    const doomed = await findDoomed(project, { patterns: parsePatterns(all), stale, inner });
    if (dryRun) return summaryOf(doomed);
    return invalidateDoomed(project, doomed, () => undefined);
  }

  async du(): Promise<DiskUse> {
    return measureUse(this.#session.project);
  }

  async cleanup(options: CleanUpOptions = {}): Promise<CleanUp> {
    const { project } = this.#session;
    const { jugfiles = [], keep = [], targets, dryRun = false } = options;
    const kept = await Promise.all(keep.map((each) => findRun(project, each)));
    const loaded: LoadedJugfile[] = [];
    for (const jugfile of jugfiles) loaded.push(await this.#lookAt(jugfile, {}));
    return cleanUp(project, { keep: kept, jugfiles: loaded, dryRun, ...targetOf(targets) });
  }

  async export(
    file: string,
    { targets }: { readonly targets?: readonly string[] } = {},
  ): Promise<Exported> {
    const { project, cwd } = this.#session;
    return exportTo(project, { path: resolve(cwd, file), ...targetOf(targets) });
  }

  async import(file: string): Promise<Imported> {
    const { project, cwd } = this.#session;
    return importFrom(project, { path: resolve(cwd, file), name: file });
  }

  async startWorker(options: WorkerOptions = {}): Promise<RunningWorker> {
    requireOptions(options, ['threads', 'queues', 'onMessage'], 'jug.startWorker');
    const { onMessage = this.#say, ...wishes } = options;
    const settings = { ...this.#session.settings, ...readGiven(wishes, 'jug.startWorker') };
    const session = { ...this.#session, settings };
    // Programs that only look need nothing of what runs tasks.
    const { startWorker } = await import('./start-worker.ts');
    this.#dispatch();
    const log = textLog(onMessage);
    const worker = await startWorker(session, log.see);
    let stopped: Promise<number> | undefined;
    const running = {
      id: worker.id,
      stop: () => (stopped ??= endWorker(worker).finally(() => this.#workers.delete(running))),
    };
    this.#workers.add(running);
    return running;
  }

  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  async #end(): Promise<void> {
    this.#closing.abort();
    await Promise.all([...this.#workers].map((each) => each.stop()));
    await this.#dispatcher?.stop();
    await this.#opened.close();
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
    { args, wait = false }: LoadJugfileOptions,
  ): Promise<LoadedJugfile> {
    const path = requireText(jugfile, 'the jugfile');
    const given = args ?? (await newestArguments(this.#session, path));
    return this.#loadJugfile(path, given, wait);
  }

  async #loadJugfile(
    jugfile: string,
    args: readonly string[],
    wait = false,
  ): Promise<LoadedJugfile> {
    const open = await openJugfile(requireText(jugfile, 'the jugfile'), {
      cwd: this.#session.cwd,
      args,
      external: this.#session.settings.external,
      store: this.#session.store,
      onWarning: this.#say,
      onProgress: () => undefined,
    });
    try {
      return wait ? await untilWhole(this.#session.project, open) : open.loaded;
    } finally {
      await open.close();
    }
  }
}

async function endWorker(worker: StartedWorker): Promise<number> {
  await worker.daemon.drain();
  await worker.close();
  return worker.daemon.begun;
}

/** Which tasks patterns choose; none: all. */
function targetOf(targets: readonly string[] | undefined): Pick<CleanUpWish, 'target'> {
  if (targets === undefined || targets.length === 0) return {};
  const patterns = parsePatterns(targets);
  return { target: (task) => matchesTask(patterns, task) };
}

function choiceOf({ patterns = [], cause, run }: FailureOptions): ChosenFailures {
  return { patterns, cause, run };
}

function endOf(record: RunRecord): RunEnd {
  const { id, state, executed, cached } = record;
  const { failed, blocked } = addCounts(Object.values(record.functions));
  return { id, state, executed, cached, failed, blocked };
}
