/** The runs that a reign knows of: loaded when their records ask for it, cancelled when somebody wishes so. */
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import type { Entry } from '../broker/bucket.ts';
import { readRun } from '../broker/run-records.ts';
import { expectedMs, isKnown, noteDuration } from '../core/dispatch.ts';
import { JugqError } from '../core/errors.ts';
import type { Graph } from '../core/graph.ts';
import type { RunId } from '../core/identifiers.ts';
import type { KnownResult } from '../core/known-results.ts';
import { decodePlanOf, type Plan } from '../core/plan-format.ts';
import { parsePatterns, type Pattern } from '../core/patterns.ts';
import {
  decodeRecord,
  isOver,
  stateInNewer,
  type CancelTasksWish,
  type CancelWish,
} from '../core/records.ts';
import type { ResultNews } from '../core/heard-results.ts';
import { startRunInSteps, type RunProgress } from '../core/run-progress.ts';
import { isUnreadable } from '../core/wire.ts';
import { pastDurations } from './past-durations.ts';
import { resultEvent, type ReignContext } from './reign-context.ts';
import { RunBook } from './run-book.ts';
import type { SeenFailures } from './seen-failures.ts';

export class ActiveRuns {
  readonly #context: ReignContext;
  readonly #failures: SeenFailures;
  readonly #books = new Map<RunId, RunBook>();
  readonly #cancelled = new Set<RunId>();
  readonly #paused = new Set<RunId>();
  /** Patterns of tasks that somebody wishes cancelled. */
  readonly #unwanted = new Map<RunId, readonly Pattern[]>();
  /** For each plan that is being read: the results that came meanwhile. */
  readonly #loading = new Set<ResultNews[]>();
  readonly #loads = new Set<Promise<void>>();

  constructor(context: ReignContext, failures: SeenFailures) {
    this.#context = context;
    this.#failures = failures;
  }

  /** The record of a run, ended or not. */
  book(id: RunId): RunBook | undefined {
    return this.#books.get(id);
  }

  /** Resolves when the plans that are being read now have been. */
  async loaded(): Promise<void> {
    await Promise.all(this.#loads);
  }

  /** Counts may have changed: the records are to be written. */
  markDirty(): void {
    for (const book of this.#books.values()) if (!isOver(book.record.state)) book.dirty = true;
  }

  /** All records. */
  books(): Iterable<RunBook> {
    return this.#books.values();
  }

  /** A result that plans which are being read may have missed. */
  seeResult(news: ResultNews): void {
    for (const buffer of this.#loading) buffer.push(news);
  }

  /** Takes in an entry of the bucket of runs: a record, or a wish. */
  see(entry: Entry): void {
    const [id, wish] = entry.key.split('.') as [RunId, string | undefined];
    if (wish !== undefined) {
      this.#seeWish(id, wish, entry.value);
      return;
    }
    const record = readRun(this.#context.project, entry);
    if (record === undefined) {
      if (isActiveElsewhere(entry.value)) this.#context.standBack(id);
      return;
    }
    const book = this.#books.get(id);
    book?.see(record, entry.revision);
    if (isOver(record.state)) {
      this.#forget(id, book);
      return;
    }
    if (record.plan === undefined || this.#cancelled.has(id)) return;
    if (book !== undefined && book.step >= record.step) return;
    const opened = book ?? new RunBook(record, entry.revision);
    this.#books.set(id, opened);
    opened.step = record.step;
    const load = this.#load(opened, record.plan, record.step);
    this.#loads.add(load);
    this.#context.guard(load.finally(() => this.#loads.delete(load)));
  }

  /** A run is over: a reign may last for weeks, and its plan may be large. */
  #forget(id: RunId, book: RunBook | undefined): void {
    // If its planner has ended it, what it had planned is of no use.
    if (book?.run !== undefined)
      this.#context.tell({ kind: 'run-removed', run: id, recall: 'idle' });
    this.#books.delete(id);
    this.#cancelled.delete(id);
    this.#paused.delete(id);
    this.#unwanted.delete(id);
  }

  #seeWish(id: RunId, wish: string, value: Uint8Array | undefined): void {
    const { runs, unreadable } = this.#context.project;
    const place = { bucket: runs.name, key: `${id}.${wish}` };
    if (wish === 'cancel' && value !== undefined) {
      const recall = unreadable.attempt(place, () => readCancel(value, id));
      if (recall !== undefined) this.#context.guard(this.#cancel(id, recall));
    }
    if (wish === 'cancel-tasks' && value !== undefined) {
      const patterns = unreadable.attempt(place, () => readUnwanted(value, id));
      if (patterns === undefined) return;
      this.#unwanted.set(id, patterns);
      this.#cancelTasks(id);
    }
    if (wish !== 'pause') return;
    const paused = value !== undefined;
    if (paused) this.#paused.add(id);
    else this.#paused.delete(id);
    this.#books.get(id)?.pause(paused);
    this.#context.tell({ kind: 'run-paused', run: id, paused });
  }

  async #load(book: RunBook, planName: string, step: number): Promise<void> {
    const startedAt = performance.now();
    const { id, basis } = book.record;
    const seen: ResultNews[] = [];
    const failuresUpTo = this.#failures.revision;
    this.#loading.add(seen);
    const run = await this.#readRun(id, basis, planName);
    this.#loading.delete(seen);
    if (this.#context.isOver() || run === undefined) return;
    // Meanwhile somebody has cancelled it, ended it or planned it on.
    if (this.#cancelled.has(id) || isOver(book.record.state) || book.step > step) return;
    book.run = run;
    this.#context.tell({ kind: 'run-added', run });
    const paused = this.#paused.has(id);
    book.pause(paused);
    if (paused) this.#context.tell({ kind: 'run-paused', run: id, paused });
    for (const news of seen) this.#context.tell(resultEvent(news));
    this.#failures.tellSince(failuresUpTo);
    this.#cancelTasks(id);
    book.dirty = true;
    const ms = Math.round(performance.now() - startedAt);
    this.#context.trace({ kind: 'run-loaded', run: id, tasks: run.plan.graph.count, ms });
  }

  /** Undefined: the plan cannot be read; said in the run's record, and the other runs go on. */
  async #readRun(id: RunId, basis: number, planName: string): Promise<RunProgress | undefined> {
    const { project, state, trace } = this.#context;
    try {
      const [plan, last] = await Promise.all([
        this.#readPlan(id, planName),
        project.results.lastRevision(),
        // The record of a run may have overtaken the failures that its planner cleared before.
        this.#failures.readAll(),
      ]);
      const results = await project.results.known(plan.graph, plan.past);
      await this.#learnDurations(plan.graph, results);
      const failures = this.#failures.in(plan.graph);
      const { targets, failFast } = this.#books.get(id)?.record ?? {};
      // Results that were made anew count from 1 again: none of those that are there is older than the run.
      const run = { id, plan, basis: basis > last ? 0 : basis, targets, failFast };
      const cost = (name: string): number => expectedMs(state, name);
      return await inTurns(startRunInSteps(run, results, failures, cost));
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      trace({ kind: 'run-unreadable', run: id, reason: error.message });
      const book = this.#books.get(id);
      if (book !== undefined) book.note = error.message;
      if (error.code === 'FORMAT_UNKNOWN') this.#context.standBack(id);
      // Nobody else can read it either.
      else book?.end('failed');
      return undefined;
    }
  }

  async #learnDurations(graph: Graph, results: readonly KnownResult[]): Promise<void> {
    const { project, state } = this.#context;
    const past = await pastDurations(project.results, graph, results, (name) =>
      isKnown(state, name),
    );
    for (const { functionName, ms } of past) noteDuration(state, 'finished', functionName, ms);
  }

  /** A plan that does not seem to be there is asked for again: a server that has just come up may be late. */
  async #readPlan(id: RunId, planName: string, triesLeft = 2): Promise<Plan> {
    const bytes = await this.#context.project.plans.get(planName);
    if (bytes !== undefined) return decodePlanOf(id, bytes);
    if (triesLeft === 0)
      throw new JugqError('VALUE_CORRUPT', `the plan of run ${id} is gone: plan again`);
    await delay(planAgainMs);
    return this.#readPlan(id, planName, triesLeft - 1);
  }

  /** Once the run is loaded: before, there is nothing to be cancelled. */
  #cancelTasks(id: RunId): void {
    const patterns = this.#unwanted.get(id);
    if (patterns === undefined || this.#books.get(id)?.run === undefined) return;
    this.#context.tell({ kind: 'tasks-cancelled', run: id, patterns });
  }

  /** Somebody wishes a run cancelled, whether or not it has been loaded, or ever got a plan. */
  async #cancel(id: RunId, recall: 'idle' | 'all'): Promise<void> {
    if (this.#cancelled.has(id)) return;
    this.#cancelled.add(id);
    const book = this.#books.get(id) ?? (await this.#openBook(id));
    if (book === undefined || this.#context.isOver()) return;
    this.#context.tell({ kind: 'run-removed', run: id, recall });
    book.end('cancelled');
    this.#context.trace({ kind: 'run-over', run: id, state: 'cancelled' });
  }

  async #openBook(id: RunId): Promise<RunBook | undefined> {
    const entry = await this.#context.project.runs.get(id);
    const record = entry && readRun(this.#context.project, entry);
    if (entry === undefined || record === undefined || isOver(record.state)) return undefined;
    const book = new RunBook(record, entry.revision);
    this.#books.set(id, book);
    return book;
  }
}

const planAgainMs = 1000;

/** Whether an entry is the record of a run that a newer version of jugq has planned, and that is not over. */
function isActiveElsewhere(value: Uint8Array | undefined): boolean {
  const state = value === undefined ? undefined : stateInNewer(value);
  return state !== undefined && !isOver(state);
}

/** What becomes of the tasks that somebody wishes cancelled with their run. */
function readCancel(value: Uint8Array, id: RunId): 'idle' | 'all' {
  const wish = decodeRecord<CancelWish>(value, `the wish to cancel run ${id}`, {
    finish: 'boolean',
  });
  return wish.finish ? 'idle' : 'all';
}

/** @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT` */
function readUnwanted(value: Uint8Array, id: RunId): Pattern[] {
  const what = `the wish to cancel tasks of run ${id}`;
  const { patterns } = decodeRecord<CancelTasksWish>(value, what, { patterns: 'object' });
  try {
    return parsePatterns(patterns);
  } catch (cause) {
    throw new JugqError('VALUE_CORRUPT', `${what} has patterns that cannot be read`, { cause });
  }
}

/** Goes through steps with a turn of the event loop after each, in which the lease is renewed and events come in. */
async function inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await setImmediate();
  }
}
