/**
 * The dispatcher, acting: what `core/dispatch.ts` decides is done here, and what happens on the server is told to it.
 *
 * It keeps no state of its own beyond a reign. A reign begins with the lease: the queue is read first, then the last
 * revision of the results, then the runs, and each run's results up to then; what comes later arrives by following. So
 * nothing that happened before, in between or twice can be missed. Whatever makes that knowledge doubtful (the lease
 * lost, a stream replaced) ends the reign; a new one begins by reading again.
 */
import {
  apply,
  expectedMs,
  parcelFacts,
  startDispatch,
  type DispatchEvent,
  type DispatchState,
  type Instruction,
  type MessagePlace,
} from '../core/dispatch.ts';
import { argumentsOf, functionOf, hashBytesOf, idOf, TaskIndex } from '../core/graph.ts';
import type { RunId, TaskId } from '../core/identifiers.ts';
import { encodeParcel } from '../core/parcel.ts';
import { decodePlan } from '../core/plan-format.ts';
import { decodeRecord, isOver, type RunRecord, type WorkerRecord } from '../core/records.ts';
import { nextDue, startRun, type RunProgress } from '../core/run-progress.ts';
import type { Entry } from '../broker/bucket.ts';
import { readFailure } from '../broker/failures.ts';
import { Lease } from '../broker/lease.ts';
import type { OpenProject } from '../broker/project.ts';
import type { ResultEntry } from '../broker/results.ts';
import { JugqError } from '../core/errors.ts';
import type { KnownFailure } from '../core/run-progress.ts';
import { RunBook } from './run-book.ts';
import { steadyClock } from './steady-clock.ts';
import type { Trace } from './trace.ts';
import { withdrawAll, type Withdrawal } from './withdraw.ts';

export interface DispatcherOptions {
  readonly project: OpenProject;
  /** Unique name of this candidate. */
  readonly holder: string;
  readonly leaseMs: number;
  /** How often the ledger is checked against the queue. */
  readonly sweepMs: number;
  /** Makes streams that have gone. */
  readonly restoreTopology: () => Promise<void>;
  readonly trace: Trace;
}

/** A candidate for the role: dispatches whenever it holds the lease. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #lease: Lease;
  #reign: Reign | undefined;
  #stopped = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#lease = new Lease({
      bucket: options.project.leases,
      holder: options.holder,
      leaseMs: options.leaseMs,
      onAcquired: (epoch) => {
        options.trace({ kind: 'lease-acquired', epoch });
        this.#begin();
      },
      onLost: () => {
        options.trace({ kind: 'lease-lost' });
        this.#reign?.end();
      },
    });
  }

  /** Finishes what was decided, writes the records and gives the lease up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const reign = this.#reign;
    if (reign !== undefined && this.#lease.isHeld) await reign.settle();
    reign?.end();
    await this.#lease.release();
  }

  #begin(): void {
    this.#reign?.end();
    if (this.#stopped || this.#lease.epoch === 0) return;
    this.#reign = new Reign(this.#options, this.#lease, () => {
      this.#reign?.end();
      setTimeout(() => {
        this.#begin();
      }, restartMs).unref();
    });
  }
}

const restartMs = 500;
const recordEveryMs = 200;

/** From acquiring the lease until something makes what was read doubtful. */
class Reign {
  readonly #options: DispatcherOptions;
  readonly #project: OpenProject;
  readonly #lease: Lease;
  readonly #restart: () => void;
  readonly #state: DispatchState = startDispatch();
  readonly #books = new Map<RunId, RunBook>();
  readonly #cancelled = new Set<RunId>();
  readonly #loading = new Set<ResultEntry[]>();
  readonly #failures = new Map<TaskId, KnownFailure>();
  readonly #threads = new Map<string, number>();
  readonly #followings: { stop(): void }[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #loads: Promise<void>[] = [];
  readonly #now = steadyClock();
  #isOpen = false;
  #events: DispatchEvent[] = [];
  #turning = false;
  #publishing = 0;
  #ended = false;
  #sweeping = false;

  constructor(options: DispatcherOptions, lease: Lease, restart: () => void) {
    this.#options = options;
    this.#project = options.project;
    this.#lease = lease;
    this.#restart = restart;
    this.#guard(this.#begin());
  }

  end(): void {
    this.#ended = true;
    for (const following of this.#followings) following.stop();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Resolves when what was decided has been done and written down. */
  async settle(): Promise<void> {
    await this.#project.publisher.drained();
    await this.#writeRecords();
  }

  async #begin(): Promise<void> {
    const project = this.#project;
    await this.#options.restoreTopology();
    for (const event of await this.#readMessages(await project.queue.list())) this.#tell(event);
    const from = (await project.results.lastRevision()) + 1;
    if (this.#ended) return;
    const replaced = (): void => {
      if (!this.#ended) this.#restart();
    };
    const failures = project.failures.follow(
      1,
      (entry) => {
        this.#seeFailure(entry);
      },
      replaced,
    );
    this.#followings.push(failures);
    await failures.caughtUp;
    if (this.#ended) return;
    this.#followings.push(
      project.results.follow(
        from,
        (entry) => {
          this.#seeResult(entry);
        },
        replaced,
      ),
      project.workers.follow(
        1,
        (entry) => {
          this.#seeWorker(entry);
        },
        () => {
          this.#threads.clear();
        },
      ),
    );
    const runs = project.runs.follow(
      1,
      (entry) => {
        this.#seeRun(entry);
      },
      replaced,
    );
    this.#followings.push(runs);
    this.#every(this.#options.sweepMs, () => this.#sweep());
    this.#every(recordEveryMs, () => this.#writeRecords());
    this.#every(tickMs, () => {
      const due = this.#state.runs.some((run) => nextDue(run) <= this.#now());
      if (due || this.#state.heldUntil > 0) this.#tell({ kind: 'tick' });
    });
    // Nothing is decided before all active runs are known: else an older run's code might be published first.
    await runs.caughtUp;
    await Promise.all(this.#loads);
    this.#isOpen = true;
    this.#tell({ kind: 'tick' });
  }

  async #readMessages(places: readonly MessagePlace[]): Promise<DispatchEvent[]> {
    const found = await Promise.all(places.map((each) => this.#readMessage(each)));
    return found.flatMap((event) => event ?? []);
  }

  /** Undefined: it has gone, or cannot be read here, and is left to whoever can. */
  async #readMessage({ head, queue }: MessagePlace): Promise<DispatchEvent | undefined> {
    try {
      const found = await this.#project.queue.read({ head, queue });
      if (found === undefined) return undefined;
      const { code, tasks } = found.parcel;
      return { kind: 'found', head, queue, code, tasks };
    } catch (error) {
      if (error instanceof JugqError && unreadable.has(error.code)) return undefined;
      throw error;
    }
  }

  #seeResult(entry: ResultEntry): void {
    for (const buffer of this.#loading) buffer.push(entry);
    this.#tell(resultEvent(entry));
  }

  #seeFailure(entry: Entry): void {
    const failure = readFailure(entry);
    if (failure === undefined) return;
    const id = entry.key as TaskId;
    const isNews = entry.revision > (this.#failures.get(id)?.revision ?? 0);
    if (isNews) this.#failures.set(id, failure);
    this.#tell({ kind: 'failure', id, failure });
  }

  #seeWorker(entry: Entry): void {
    if (entry.value === undefined) this.#threads.delete(entry.key);
    else {
      const { threads } = decodeRecord<WorkerRecord>(entry.value, 'a worker record');
      this.#threads.set(entry.key, threads);
    }
    let threads = 0;
    for (const each of this.#threads.values()) threads += each;
    this.#tell({ kind: 'threads', threads });
  }

  #seeRun(entry: Entry): void {
    const [id, wish] = entry.key.split('.') as [RunId, string | undefined];
    if (wish !== undefined) {
      if (wish === 'cancel' && entry.value !== undefined) this.#guard(this.#cancel(id));
      return;
    }
    if (entry.value === undefined) return;
    const record = decodeRecord<RunRecord>(entry.value, `the record of run ${id}`);
    const book = this.#books.get(id);
    book?.see(record, entry.revision);
    if (isOver(record.state)) {
      // Its planner has ended it: what it had planned is of no use.
      const isActive = this.#state.runs.some((each) => each.id === id);
      if (isActive) this.#tell({ kind: 'run-removed', run: id });
      return;
    }
    if (record.plan === undefined || this.#cancelled.has(id)) return;
    if (book !== undefined && book.step >= record.step) return;
    const opened = book ?? new RunBook(record, entry.revision);
    this.#books.set(id, opened);
    opened.step = record.step;
    const load = this.#load(opened, record.plan, record.step);
    if (!this.#isOpen) this.#loads.push(load);
    this.#guard(load);
  }

  async #load(book: RunBook, planName: string, step: number): Promise<void> {
    const startedAt = performance.now();
    const { id, basis } = book.record;
    const seen: ResultEntry[] = [];
    this.#loading.add(seen);
    const run = await this.#readRun(id, basis, planName);
    this.#loading.delete(seen);
    if (this.#ended || run === undefined || this.#cancelled.has(id) || book.step > step) return;
    book.run = run;
    this.#tell({ kind: 'run-added', run });
    for (const entry of seen) this.#tell(resultEvent(entry));
    book.dirty = true;
    const ms = Math.round(performance.now() - startedAt);
    this.#options.trace({ kind: 'run-loaded', run: id, tasks: run.plan.graph.count, ms });
  }

  /** Undefined: the plan cannot be read; said in the run's record, and the other runs go on. */
  async #readRun(id: RunId, basis: number, planName: string): Promise<RunProgress | undefined> {
    try {
      const bytes = await this.#project.plans.get(planName);
      if (bytes === undefined)
        throw new JugqError('VALUE_CORRUPT', `the plan of run ${id} is gone: plan again`);
      const plan = decodePlan(bytes);
      await this.#readFailures();
      const results = await this.#project.results.known(plan.graph);
      const index = new TaskIndex(plan.graph);
      const failures = [...this.#failures].flatMap(([task, failure]) => {
        const position = index.find(task);
        return position === -1 ? [] : [[position, failure] as const];
      });
      // Results that were made anew count from 1 again: none of those that are there is older than the run.
      const last = await this.#project.results.lastRevision();
      const { targets, failFast } = this.#books.get(id)?.record ?? {};
      const run = { id, plan, basis: basis > last ? 0 : basis, targets, failFast };
      return startRun(run, results, failures, (name) => expectedMs(this.#state, name));
    } catch (error) {
      if (!(error instanceof JugqError) || !unreadable.has(error.code)) throw error;
      this.#options.trace({ kind: 'run-unreadable', run: id, reason: error.message });
      const book = this.#books.get(id);
      if (book !== undefined) book.note = error.message;
      return undefined;
    }
  }

  /** The record of a run may have overtaken the failures that its planner cleared before. */
  async #readFailures(): Promise<void> {
    const reading = this.#project.failures.follow(1, (entry) => {
      this.#seeFailure(entry);
    });
    await reading.caughtUp;
    reading.stop();
  }

  /** Somebody wishes a run cancelled, whether or not it has been loaded, or ever got a plan. */
  async #cancel(id: RunId): Promise<void> {
    if (this.#cancelled.has(id)) return;
    this.#cancelled.add(id);
    const book = this.#books.get(id) ?? (await this.#openBook(id));
    if (book === undefined || this.#ended || isOver(book.record.state)) return;
    this.#tell({ kind: 'run-removed', run: id });
    book.end('cancelled');
    this.#options.trace({ kind: 'run-over', run: id, state: 'cancelled' });
  }

  async #openBook(id: RunId): Promise<RunBook | undefined> {
    const entry = await this.#project.runs.get(id);
    if (entry?.value === undefined) return undefined;
    const book = new RunBook(decodeRecord(entry.value, `the record of run ${id}`), entry.revision);
    this.#books.set(id, book);
    return book;
  }

  /** Gathers what happens in one turn of the event loop, so that a burst is decided on at once. */
  #tell(event: DispatchEvent): void {
    this.#events.push(event);
    if (this.#turning || !this.#isOpen) return;
    this.#turning = true;
    setImmediate(() => {
      this.#turning = false;
      if (this.#ended || !this.#lease.isHeld) {
        // The lease is doubtful for the moment: decide when it is renewed, or never.
        if (!this.#ended)
          setTimeout(() => {
            this.#tell({ kind: 'tick' });
          }, recordEveryMs).unref();
        return;
      }
      const events = this.#events;
      this.#events = [];
      const instructions = apply(this.#state, events, this.#now());
      for (const instruction of instructions) this.#perform(instruction);
      const withdrawals = instructions.filter((each) => each.kind === 'withdraw');
      if (withdrawals.length > 0) this.#guard(this.#withdraw(withdrawals));
      this.#markDirty();
    });
  }

  #perform(instruction: Instruction): void {
    switch (instruction.kind) {
      case 'publish':
        this.#publish(instruction);
        return;
      case 'clear-failure':
        this.#guard(this.#project.failures.delete(instruction.id, instruction.revision));
        return;
      case 'withdraw':
        // All of a turn at once, see `#tell`.
        return;
      case 'inspect':
        this.#guard(this.#inspect(instruction.messages));
        return;
      case 'verify':
        this.#guard(this.#verify(instruction.tasks, instruction.readAt));
        return;
      case 'complete':
        this.#complete(instruction);
        return;
      case 'plan-on':
        this.#planOn(instruction.run);
        return;
    }
  }

  #publish(instruction: Instruction & { kind: 'publish' }): void {
    const { run, head } = instruction;
    const { graph, code, spilled } = run.plan;
    const facts = functionOf(graph, instruction.tasks[0] ?? 0);
    const payload = encodeParcel(
      {
        run: run.id,
        code,
        functionName: facts.name,
        fingerprint: facts.fingerprint,
        retries: facts.retries,
        ...(facts.timeoutMs === undefined ? {} : { timeoutMs: facts.timeoutMs }),
        quick: instruction.quick,
      },
      instruction.tasks.map((task) => ({
        ...parcelFacts(run, task),
        hash: hashBytesOf(graph, task),
        arguments: spilled.get(task) ?? argumentsOf(graph, task),
      })),
    );
    this.#publishing++;
    this.#project.queue.publish({ head, queue: facts.queue, payload }, (outcome, why) => {
      this.#publishing--;
      const book = this.#books.get(run.id);
      if (outcome === 'accepted' && book !== undefined) book.published += instruction.tasks.length;
      if (outcome === 'full')
        this.#refuse(instruction, why.kind === 'refused' ? why.description : '');
      else if (book !== undefined) book.note = undefined;
      if (outcome === 'occupied' && !this.#ended) {
        this.#guard(this.#inspect([{ head, queue: facts.queue }]));
        this.#sweepSoon();
      }
    });
  }

  #refuse(instruction: Instruction & { kind: 'publish' }, reason: string): void {
    const { run, tasks } = instruction;
    const book = this.#books.get(run.id);
    if (book !== undefined) book.note = `the server does not take more tasks: ${reason}`;
    this.#options.trace({
      kind: 'trouble',
      reason: `the server does not take more tasks: ${reason}`,
    });
    this.#tell({ kind: 'refused', tasks: tasks.map((task) => idOf(run.plan.graph, task)) });
  }

  async #withdraw(withdrawals: readonly Withdrawal[]): Promise<void> {
    for (const { head, queue } of await withdrawAll(this.#project, withdrawals)) {
      this.#tell({ kind: 'withdrawn', head, queue });
    }
  }

  async #inspect(places: readonly MessagePlace[]): Promise<void> {
    for (const event of await this.#readMessages(places)) this.#tell(event);
  }

  async #verify(tasks: readonly TaskId[], readAt: number): Promise<void> {
    const absent: TaskId[] = [];
    const check = async (id: TaskId): Promise<void> => {
      const [result, failure] = await Promise.all([
        this.#project.results.readFromLeader(id),
        this.#project.failures.get(id),
      ]);
      if (result !== undefined) this.#tell(resultEvent(result));
      if (failure !== undefined) this.#seeFailure(failure);
      const kind = failure && readFailure(failure)?.kind;
      const failed = kind === 'retry' || kind === 'final';
      if (result?.present !== true && !failed) absent.push(id);
    };
    for (let at = 0; at < tasks.length; at += verifyAtOnce) {
      await Promise.all(tasks.slice(at, at + verifyAtOnce).map(check));
    }
    if (absent.length > 0) this.#options.trace({ kind: 'reconciled', absent: absent.length });
    this.#tell({ kind: 'absent', tasks: absent, readAt });
  }

  #planOn(run: RunProgress): void {
    const book = this.#books.get(run.id);
    if (book === undefined) return;
    book.wake();
    this.#guard(this.#writeRecords());
    this.#options.trace({ kind: 'run-awake', run: run.id, step: book.step });
  }

  #complete({ run, outcome }: Instruction & { kind: 'complete' }): void {
    const book = this.#books.get(run.id);
    const [wait] = run.plan.waits;
    if (book !== undefined && wait !== undefined)
      book.note = `planning stopped at ${wait.place}: a task that it waits for has failed`;
    book?.end(outcome);
    this.#options.trace({ kind: 'run-over', run: run.id, state: outcome });
    this.#guard(this.#writeRecords());
  }

  async #sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      const readAt = this.#now();
      const messages = await this.#project.queue.list();
      this.#tell({ kind: 'swept', messages, readAt });
    } finally {
      this.#sweeping = false;
    }
  }

  #sweepSoon(): void {
    setTimeout(() => {
      if (!this.#ended) this.#guard(this.#sweep());
    }, sweepSoonMs).unref();
  }

  #markDirty(): void {
    for (const book of this.#books.values()) if (!isOver(book.record.state)) book.dirty = true;
  }

  async #writeRecords(): Promise<void> {
    for (const book of this.#books.values()) {
      if (!this.#lease.isHeld) return;
      // Whoever planned the run waits for its first record to learn how much was published.
      if (this.#publishing > 0 && book.published === 0 && !isOver(book.record.state)) continue;
      await book.write(this.#project.runs, this.#lease.epoch);
    }
  }

  #every(ms: number, act: () => void | Promise<void>): void {
    const timer = setInterval(() => {
      this.#guard(Promise.resolve(act()));
    }, ms);
    this.#timers.push(timer.unref());
  }

  /** What fails here leaves knowledge in doubt: the reign ends and a new one reads everything again. */
  #guard(doing: Promise<unknown>): void {
    doing.catch((error: unknown) => {
      if (this.#ended || this.#project.connection.isClosed()) return;
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.trace({ kind: 'dispatcher-failed', reason });
      this.#restart();
    });
  }
}

const tickMs = 100;
const sweepSoonMs = 1000;
const verifyAtOnce = 256;
const unreadable: ReadonlySet<string> = new Set(['VALUE_CORRUPT', 'FORMAT_UNKNOWN']);

function resultEvent(entry: ResultEntry): DispatchEvent {
  const { id, revision, present, facts } = entry;
  return {
    kind: 'result',
    id,
    revision,
    present,
    ...(facts === undefined ? {} : { ms: facts.ms }),
  };
}
