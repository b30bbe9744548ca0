/**
 * One reign of the dispatcher: what `core/dispatch.ts` decides is done, and what happens on the server is told to it.
 *
 * A reign begins with the lease: the queue is read first, then the last revision of the results, then the runs, and
 * each run's results up to then; what comes later arrives by following. So nothing that happened before, in between or
 * twice can be missed. Whatever makes that knowledge doubtful (the lease lost, a stream replaced) ends the reign; a new
 * one begins by reading again.
 */
import type { Entry } from '../broker/bucket.ts';
import type { Lease } from '../broker/lease.ts';
import { hearTakenApart } from '../broker/taken-apart.ts';
import { readWorker } from '../broker/worker-records.ts';
import { apply, startDispatch, type DispatchEvent } from '../core/dispatch.ts';
import type { ResultNews } from '../core/heard-results.ts';
import { isOver } from '../core/records.ts';
import { ActiveRuns } from './active-runs.ts';
import type { DispatcherOptions } from './dispatcher.ts';
import { Performer } from './performer.ts';
import { readMessages } from './queue-messages.ts';
import { resultEvent, type ReignContext } from './reign-context.ts';
import { SeenFailures } from './seen-failures.ts';
import { steadyClock } from './steady-clock.ts';

const recordEveryMs = 200;
const tickMs = 100;
const sweepSoonMs = 1000;

/** How a reign asks to be ended. */
export interface WaysOut {
  /** What is known is in doubt: another reign is to read everything again. */
  readonly restart: () => void;
  /** This version is too old for a run: another candidate is to have the lease. */
  readonly standBack: (run: string) => void;
}

/** From acquiring the lease until something makes what was read doubtful. */
export class Reign {
  readonly #options: DispatcherOptions;
  readonly #lease: Lease;
  readonly #restart: () => void;
  readonly #context: ReignContext;
  readonly #failures: SeenFailures;
  readonly #runs: ActiveRuns;
  readonly #performer: Performer;
  /** Threads of each worker. */
  readonly #threads = new Map<string, number>();
  readonly #followings: { stop(): void }[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #now = steadyClock();
  #isOpen = false;
  #events: DispatchEvent[] = [];
  #turning = false;
  #doubt: NodeJS.Timeout | undefined;
  #ended = false;
  #sweeping = false;

  constructor(options: DispatcherOptions, lease: Lease, ways: WaysOut) {
    this.#options = options;
    this.#lease = lease;
    this.#restart = ways.restart;
    this.#context = {
      project: options.project,
      state: startDispatch(),
      trace: options.trace,
      tell: (event) => {
        this.#tell(event);
      },
      guard: (doing) => {
        this.#guard(doing);
      },
      isOver: () => this.#ended,
      standBack: ways.standBack,
      writeRecords: () => {
        this.#guard(this.#writeRecords());
      },
      sweepSoon: () => {
        setTimeout(() => {
          if (!this.#ended) this.#guard(this.#sweep());
        }, sweepSoonMs).unref();
      },
    };
    this.#failures = new SeenFailures(this.#context);
    this.#runs = new ActiveRuns(this.#context, this.#failures);
    this.#performer = new Performer(this.#context, {
      runs: this.#runs,
      failures: this.#failures,
    });
    this.#guard(this.#begin());
  }

  end(): void {
    this.#ended = true;
    for (const following of this.#followings) following.stop();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Resolves when what was decided has been done and written down. */
  async settle(): Promise<void> {
    await this.#performer.settled();
    await this.#options.project.publisher.drained();
    await this.#writeRecords();
  }

  async #begin(): Promise<void> {
    const { project, isOver } = this.#context;
    await this.#options.restoreTopology();
    const queued = await readMessages(project, await project.queue.list());
    for (const event of queued) this.#tell(event);
    const from = (await project.results.lastRevision()) + 1;
    if (isOver()) return;
    await this.#followFailures();
    if (isOver()) return;
    this.#followResults(from);
    this.#followWorkers();
    this.#hearTakenApart();
    const runsKnown = this.#followRuns();
    this.#startTimers();
    // Nothing is decided before all active runs are known: else an older run's code might be published first.
    await runsKnown;
    await this.#runs.loaded();
    this.#isOpen = true;
    this.#tell({ kind: 'tick' });
  }

  /** Resolves when all records that are there have been seen. */
  async #followFailures(): Promise<void> {
    const following = this.#options.project.failures.follow(
      1,
      (entry) => {
        this.#failures.see(entry);
      },
      this.#replaced,
    );
    this.#followings.push(following);
    await following.caughtUp;
  }

  #followResults(from: number): void {
    const see = (news: ResultNews): void => {
      this.#runs.seeResult(news);
      this.#tell(resultEvent(news));
    };
    this.#followings.push(this.#options.project.results.followNews(from, see, this.#replaced));
  }

  /** Tasks of which nothing will come from a message that was taken apart: the queue is compared soon. */
  #hearTakenApart(): void {
    const { connection, names } = this.#options.project;
    this.#followings.push(
      hearTakenApart(connection, names, (place) => {
        this.#tell({ kind: 'taken-apart', ...place });
        this.#context.sweepSoon();
      }),
    );
  }

  #followWorkers(): void {
    const following = this.#options.project.workers.follow(
      1,
      (entry) => {
        this.#seeWorker(entry);
      },
      () => {
        this.#threads.clear();
      },
    );
    this.#followings.push(following);
  }

  /** Resolves when all runs that are there have been seen. */
  async #followRuns(): Promise<void> {
    const following = this.#options.project.runs.follow(
      1,
      (entry) => {
        this.#runs.see(entry);
      },
      this.#replaced,
    );
    this.#followings.push(following);
    await following.caughtUp;
  }

  readonly #replaced = (): void => {
    if (!this.#ended) this.#restart();
  };

  #startTimers(): void {
    const { state } = this.#context;
    this.#every(this.#options.sweepMs, () => this.#sweep());
    this.#every(recordEveryMs, () => this.#writeRecords());
    this.#every(tickMs, () => {
      const due = state.runs.some((run) => run.dueFrom <= this.#now());
      if (this.#lease.isHeld && (due || state.heldUntil > 0)) this.#tell({ kind: 'tick' });
    });
  }

  #seeWorker(entry: Entry): void {
    const record = readWorker(this.#options.project, entry);
    if (record === undefined) this.#threads.delete(entry.key);
    else this.#threads.set(entry.key, record.threads);
    let threads = 0;
    for (const each of this.#threads.values()) threads += each;
    this.#tell({ kind: 'threads', threads });
  }

  /** Gathers what is received together, so that a burst is decided on at once. */
  #tell(event: DispatchEvent): void {
    this.#events.push(event);
    if (this.#turning || !this.#isOpen) return;
    this.#turning = true;
    queueMicrotask(() => {
      this.#turning = false;
      this.#decide();
    });
  }

  #decide(): void {
    if (this.#ended) return;
    if (!this.#lease.isHeld) {
      // It is doubtful for the moment: decide when it is renewed, or never.
      this.#doubt ??= setTimeout(() => {
        this.#doubt = undefined;
        this.#decide();
      }, recordEveryMs).unref();
      return;
    }
    const events = this.#events;
    this.#events = [];
    const instructions = apply(this.#context.state, events, this.#now());
    this.#performer.perform(instructions);
    this.#runs.markDirty();
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      const readAt = this.#now();
      const messages = await this.#options.project.queue.list();
      this.#tell({ kind: 'swept', messages, readAt });
    } finally {
      this.#sweeping = false;
    }
  }

  async #writeRecords(): Promise<void> {
    const { isPublishing, isWithdrawing } = this.#performer;
    const isUndecided = !this.#isOpen || this.#events.length > 0;
    for (const book of this.#runs.books()) {
      if (!this.#lease.isHeld) return;
      // Whoever planned the run waits for its first record to learn how much was published.
      if (isPublishing && book.published === 0 && !isOver(book.record.state)) continue;
      // Whoever paused the run is told that nothing else begins.
      if (book.isPausing && (isUndecided || isWithdrawing)) continue;
      await book.write(this.#options.project, this.#lease.epoch);
    }
  }

  #every(ms: number, act: () => void | Promise<void>): void {
    const timer = setInterval(() => {
      this.#guard(Promise.resolve(act()));
    }, ms);
    this.#timers.push(timer.unref());
  }

  #guard(doing: Promise<unknown>): void {
    doing.catch((error: unknown) => {
      if (this.#ended || this.#options.project.connection.isClosed()) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.trace({ kind: 'dispatcher-failed', reason });
      this.#restart();
    });
  }
}
