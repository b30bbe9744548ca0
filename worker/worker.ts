/**
 * The worker: takes parcels, runs their tasks in threads, stores what they give, and acknowledges what is stored.
 *
 * One parcel's way: taken → (looked up) → inputs fetched → scheduled → run → stored → acknowledged. User code runs in
 * threads and child processes only, so nothing of the user's can delay heartbeats.
 */
import type { OpenProject } from '../broker/project.ts';
import { Puller, type Delivery, type Pulse } from '../broker/pull.ts';
import { hearRecalls, type RecalledMessage, type RecallKind } from '../broker/recall.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import { decodeParcel, type BlobReference, type Parcel, type ParcelTask } from '../core/parcel.ts';
import { placeBundle } from './bundle-file.ts';
import { HeldParcels, type HeldParcel } from './held-parcels.ts';
import { Inputs, type Input } from './inputs.ts';
import { Presence } from './presence.ts';
import { quarantine } from './quarantine.ts';
import { resultStore } from './result-store.ts';
import { Schedule, type NextBatch, type Work } from './schedule.ts';
import {
  dropFailure,
  storeFailure,
  storeResult,
  type AttemptFailure,
  type StoreContext,
} from './store-outcome.ts';
import { publishSingly, strike } from './suspects.ts';
import { packTasks, type Outcome } from './task-protocol.ts';
import { RunnerDied, taskThreads, type Runner } from './task-threads.ts';
import type { Trace } from './trace.ts';

export interface WorkerOptions {
  readonly project: OpenProject;
  /** Unique name, without spaces. */
  readonly id: string;
  readonly threads: number;
  readonly queues: readonly string[];
  readonly ackWaitMs: number;
  /** Sends a heartbeat for a delivery, on a connection that large results do not delay. */
  readonly beat: (replySubject: string) => void;
  /** Bundles are put under this directory and find their external packages there. */
  readonly directory: string;
  /** Stop after so many tasks have been started; absent: no limit. */
  readonly maxTasks?: number;
  readonly trace: Trace;
}

/** Work for a thread this far ahead is taken from the queue, so that a thread never waits for the server. */
const lookAheadMs = 25;
/** Tasks that take longer are not taken ahead at all: the wait for the next one does not count. */
const longMs = 5000;
const aheadMax = 1024;
/** What has not begun after this long goes back, for a worker that is free. */
const handBackAfterMs = 10_000;
/** A parcel of a newer format: another worker may know it. */
const foreignDelayMs = 30_000;

export class WorkerDaemon {
  readonly #options: WorkerOptions;
  readonly #held: HeldParcels;
  readonly #inputs: Inputs;
  readonly #schedule: Schedule;
  readonly #threads: Runner;
  readonly #suspects: Runner;
  readonly #pullers: Puller[];
  readonly #presence: Presence;
  readonly #context: StoreContext;
  readonly #code = new Map<string, Promise<string>>();
  readonly #runningNow = new Map<string, number>();
  readonly #batches = new Map<AbortController, readonly Work[]>();
  readonly #recalls: { stop(): void };
  readonly #timer: NodeJS.Timeout;
  #parcelMs: number | undefined;
  #begun = 0;
  #full: string | undefined;
  #trouble: string | undefined;
  #draining = false;
  #pumping = false;

  constructor(options: WorkerOptions) {
    const { project, threads, queues, ackWaitMs, trace } = options;
    this.#options = options;
    this.#inputs = new Inputs(project);
    this.#schedule = new Schedule(threads);
    const { read } = resultStore(project, options.id);
    this.#threads = taskThreads(threads, read);
    this.#suspects = quarantine(read);
    this.#context = {
      project,
      inputs: this.#inputs,
      worker: options.id,
      trace,
      onFull: (reason) => {
        this.#noteFull(reason);
      },
    };
    this.#held = new HeldParcels({
      ackWaitMs,
      beat: options.beat,
      isDeaf: () => this.#pullers.some((each) => each.isDeaf),
      onAcked: (held) => {
        trace({ kind: 'parcel-acked', tasks: held.parcel.tasks.length });
        if (this.#full === undefined) this.#noteTrouble(undefined);
        this.#setRoom();
      },
    });
    this.#pullers = queues.map(
      (queue) =>
        new Puller(project.connection, project.manager, project.names, {
          queue,
          ackWaitMs,
          onDelivery: (delivery) => {
            this.#take(delivery, queue);
          },
          onTrouble: (trouble) => {
            this.#noteTrouble(trouble?.message);
          },
        }),
    );
    this.#presence = new Presence({
      bucket: project.workers,
      id: options.id,
      threads,
      queues,
      now: () => this.#report(),
    });
    this.#recalls = hearRecalls(project.connection, project.names, (messages, kind) =>
      this.#letGo(messages, kind),
    );
    this.#timer = setInterval(() => {
      this.#handBackWaiting();
    }, handBackAfterMs / 2);
    this.#setRoom();
  }

  /** How many tasks have been started. */
  get begun(): number {
    return this.#begun;
  }

  /** Tasks that run now, by function. */
  get running(): ReadonlyMap<string, number> {
    return this.#runningNow;
  }

  /**
   * Takes no more, hands back what has not begun, and resolves when the rest is stored and acknowledged.
   *
   * @returns how many parcels were handed back although they were run, because the server has had no room for too long
   */
  async drain(): Promise<number> {
    this.#draining = true;
    for (const puller of this.#pullers) puller.stop();
    for (const held of this.#held.untouched(Infinity)) this.#held.handBack(held);
    const ended = new AbortController();
    await Promise.race([this.#held.empty(), this.#noRoom(ended.signal)]);
    ended.abort();
    const left = this.#held.all();
    for (const held of left) this.#held.handBack(held);
    await this.#end();
    return left.length;
  }

  /** Ends what runs, hands everything back. */
  async abort(): Promise<void> {
    this.#draining = true;
    for (const puller of this.#pullers) puller.stop();
    for (const held of this.#held.all()) this.#held.handBack(held);
    await this.#end();
  }

  /** Resolves when the server has had no room all the while that somebody may be asked to wait for an end. */
  #noRoom(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let since = performance.now();
      const timer = setInterval(() => {
        if (this.#full === undefined) since = performance.now();
        else if (performance.now() - since > drainFullMs) resolve();
      }, drainFullMs / 10);
      signal.addEventListener('abort', () => {
        clearInterval(timer);
        resolve();
      });
    });
  }

  async #end(): Promise<void> {
    clearInterval(this.#timer);
    this.#recalls.stop();
    this.#held.close();
    await Promise.all([this.#threads.close(), this.#suspects.close()]);
    // A server that is away must not keep a worker that leaves: its record expires by itself.
    const farewell = this.#presence.close().then(() => this.#options.project.connection.flush());
    await Promise.race([
      farewell.catch(() => undefined),
      new Promise((resolve) => setTimeout(resolve, farewellMs)),
    ]);
  }

  /** Lets go of messages that nobody wants any more; returns those that stay, because their work has begun. */
  #letGo(messages: readonly RecalledMessage[], kind: RecallKind): RecalledMessage[] {
    const stays: RecalledMessage[] = [];
    for (const message of messages) {
      const held = this.#held.find(message.queue, message.head);
      if (held === undefined) continue;
      if (kind === 'idle' && held.started) stays.push(message);
      else this.#held.drop(held);
    }
    for (const [abort, works] of this.#batches) {
      if (kind === 'all' && works.some((each) => each.held.gone)) abort.abort();
    }
    this.#setRoom();
    return stays;
  }

  /** How many parcels this worker wants in its hands: one a thread, and as many as it will start within a moment. */
  #setRoom(): void {
    const { threads, maxTasks } = this.#options;
    const known = this.#parcelMs;
    const ahead =
      known === undefined || known > longMs
        ? 0
        : Math.min(aheadMax, Math.ceil((threads * lookAheadMs) / Math.max(known, 0.01)));
    const left =
      maxTasks === undefined
        ? Infinity
        : maxTasks - this.#begun - this.#held.untouched(Infinity).length;
    const free = Math.min(threads + ahead - this.#held.size, left);
    const room = this.#draining || this.#full !== undefined ? 0 : free;
    for (const puller of this.#pullers) puller.setRoom(Math.max(0, room));
  }

  #take(delivery: Delivery & Pulse, queue: string): void {
    const parcel = this.#read(delivery);
    if (parcel === undefined) return;
    if (this.#draining) {
      delivery.handBack(0);
      return;
    }
    if (delivery.deliveries > 1 && this.#held.adopt(delivery, parcel)) return;
    const held = this.#held.take(delivery, parcel);
    this.#options.trace({
      kind: 'parcel-taken',
      tasks: parcel.tasks.length,
      deliveries: delivery.deliveries,
    });
    this.#setRoom();
    const prepared =
      delivery.deliveries > 1 ? this.#prepareSuspect(held, queue) : this.#prepare(held);
    prepared.catch((error: unknown) => {
      // Nothing was decided about it: it goes back, and the next worker (or this one) begins again.
      this.#noteTrouble(error instanceof Error ? error.message : String(error));
      if (!held.gone) this.#held.handBack(held, retryDelayMs);
      this.#setRoom();
    });
  }

  #read(delivery: Delivery): Parcel | undefined {
    try {
      return decodeParcel(delivery.data);
    } catch (error) {
      if (!(error instanceof JugqError)) throw error;
      this.#noteTrouble(error.message);
      if (error.code === 'FORMAT_UNKNOWN') delivery.handBack(foreignDelayMs);
      else delivery.ack();
      return undefined;
    }
  }

  async #prepare(held: HeldParcel): Promise<void> {
    const { parcel } = held;
    const known = parcel.quick ? [] : await this.#lookUp(parcel.tasks);
    for (const _ of known) this.#held.settle(held);
    const unfinished = parcel.tasks.filter((task) => !known.includes(task.id));
    await Promise.all(unfinished.map((task) => this.#prepareTask(held, task)));
    this.#pump();
  }

  async #prepareSuspect(held: HeldParcel, queue: string): Promise<void> {
    const { parcel } = held;
    const known = await this.#lookUp(parcel.tasks);
    for (const id of known) {
      await dropFailure(this.#context, id);
      this.#held.settle(held);
    }
    const [head, ...rest] = parcel.tasks;
    const tail = rest.filter((task) => !known.includes(task.id));
    if (!(await publishSingly(this.#context, parcel, queue, tail))) {
      this.#held.handBack(held, retryDelayMs);
      return;
    }
    for (const _ of tail) this.#held.settle(held);
    if (head !== undefined && !known.includes(head.id)) await this.#runSuspect(held, head);
  }

  /** Runs a task in a process of its own, which is on record first; again if it `died` of it. */
  async #runSuspect(held: HeldParcel, task: ParcelTask, died = false): Promise<void> {
    const struck = await strike(this.#context, task, died);
    if (struck.kind === 'settled') {
      this.#held.settle(held);
      return;
    }
    const suspect = { failureRevision: struck.revision, strikes: struck.strikes };
    if (struck.kind === 'poison') {
      const error = { name: 'KilledItsWorker', message: struck.why, stack: '' };
      await this.#fail(held, task, { error, output: '', final: true, ...suspect });
      return;
    }
    await this.#prepareTask(held, task, suspect);
    this.#pump();
  }

  /** Which of the tasks have a result. */
  async #lookUp(tasks: readonly ParcelTask[]): Promise<TaskId[]> {
    const found = await Promise.all(
      tasks.map((task) => this.#options.project.results.read(task.id)),
    );
    return tasks.filter((_, at) => found[at]?.present === true).map((task) => task.id);
  }

  /** Gathers what the task needs and puts it into the schedule. */
  async #prepareTask(held: HeldParcel, task: ParcelTask, suspect?: Work['suspect']): Promise<void> {
    const read = await this.#readInputs(task);
    const missing = read.find((each) => each.kind === 'missing');
    if (missing !== undefined) {
      await this.#reportMissing(held, task, missing, suspect);
      return;
    }
    const inputs = read.flatMap((each) => (each.kind === 'there' ? [each.bytes] : []));
    try {
      const args = await this.#argumentsOf(task);
      const file = await this.#fileOf(held.parcel.code);
      const runnable = { id: task.id, arguments: args, inputs };
      this.#schedule.add({ held, task, runnable, file, suspect, alone: false });
    } catch (error) {
      if (!isJugqError(error, 'VALUE_CORRUPT')) throw error;
      // What the planner stored for it is gone, and no retry brings it back.
      const { code: name, message } = error;
      const failure = { error: { name, message, stack: '' }, output: '', final: true };
      const failureRevision = suspect?.failureRevision ?? task.failureExpects;
      await this.#fail(held, task, { ...failure, failureRevision, strikes: suspect?.strikes ?? 0 });
    }
  }

  async #readInputs(task: ParcelTask): Promise<Input[]> {
    return Promise.all(task.inputs.map((each) => this.#inputs.read(each, task.expects)));
  }

  /**
   * A dependency is not there: a marker on its key tells the dispatcher, which has it computed again and then comes
   * back to this task.
   */
  async #reportMissing(
    held: HeldParcel,
    task: ParcelTask,
    missing: Extract<Input, { kind: 'missing' }>,
    suspect: Work['suspect'],
  ): Promise<void> {
    const { results } = this.#options.project;
    this.#options.trace({ kind: 'input-missing', task: task.id, input: missing.id });
    const own = await results.readFromLeader(task.id);
    if (own?.present !== true && !missing.marked) {
      const outcome = await results.mark(missing.id, missing.revision);
      // Refused: somebody wrote there meanwhile, so it is worth another look.
      if (outcome.kind === 'refused') {
        await this.#prepareTask(held, task, suspect);
        return;
      }
    }
    this.#held.settle(held);
  }

  #fileOf(digest: string): Promise<string> {
    let file = this.#code.get(digest);
    if (file === undefined) {
      file = this.#fetchCode(digest);
      this.#code.set(digest, file);
      file.catch(() => this.#code.delete(digest));
    }
    return file;
  }

  async #fetchCode(digest: string): Promise<string> {
    const bytes = await this.#options.project.code.get(digest);
    if (bytes === undefined) {
      throw new JugqError(
        'VALUE_CORRUPT',
        `the code ${digest.slice(0, 12)} is not on the server: plan again`,
      );
    }
    return placeBundle(digest, bytes, this.#options.directory);
  }

  async #argumentsOf(task: ParcelTask): Promise<Uint8Array> {
    if (task.arguments instanceof Uint8Array) return task.arguments;
    const { blob }: BlobReference = task.arguments;
    const bytes = await this.#options.project.blobs.get(blob);
    if (bytes !== undefined) return bytes;
    throw new JugqError('VALUE_CORRUPT', `the large arguments of ${task.id} are gone: plan again`);
  }

  /** Hands work to free threads once all that this turn of the event loop brings is there: batches, not drops. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    setImmediate(() => {
      this.#pumping = false;
      this.#startBatches();
    });
  }

  #startBatches(): void {
    for (let batch = this.#schedule.next(); batch !== undefined; batch = this.#schedule.next()) {
      void this.#run(batch);
    }
  }

  async #run(batch: NextBatch): Promise<void> {
    const { works, suspect } = batch;
    const first = works[0];
    if (first === undefined) return;
    this.#countBegun(works, 1);
    const { timeoutMs, functionName } = first.held.parcel;
    const runner = suspect ? this.#suspects : this.#threads;
    const tasks = packTasks(works.map((each) => each.runnable));
    const recalled = new AbortController();
    this.#batches.set(recalled, works);
    try {
      const batch = { file: first.file, functionName, tasks };
      const outcomes = await runner.run(batch, timeoutMs, recalled.signal);
      works.forEach((work, at) => {
        const outcome = outcomes[at];
        if (outcome !== undefined) this.#conclude(work, outcome);
      });
    } catch (error) {
      this.#runnerDied(works, error);
    } finally {
      this.#batches.delete(recalled);
      this.#countBegun(works, -1);
      this.#schedule.done();
      this.#setRoom();
      this.#pump();
    }
  }

  #conclude(work: Work, outcome: Outcome): void {
    const { held, task } = work;
    if (outcome.kind === 'failed') {
      const { error, output } = outcome;
      this.#failLater(work, { error, output, final: false });
      return;
    }
    this.#schedule.note(held.parcel.functionName, outcome.ms);
    this.#noteParcel(outcome.ms * held.parcel.tasks.length);
    const failureRevision = work.suspect?.failureRevision ?? task.failureExpects;
    const attempted = { parcel: held.parcel, task, failureRevision };
    storeResult(this.#context, attempted, outcome, () => {
      this.#held.settle(held);
    });
  }

  /** The thread or process ended under its tasks. One task alone did it; of several, each is tried by itself. */
  #runnerDied(works: readonly Work[], error: unknown): void {
    const death = error instanceof RunnerDied ? error : new RunnerDied('exit', String(error));
    const [only, ...others] = works;
    if (death.kind === 'aborted' || only === undefined) return;
    if (death.kind === 'recalled') {
      // Those who only shared the batch begin again; what is gone falls out of the schedule.
      for (const work of works) this.#schedule.add(work);
      return;
    }
    if (others.length > 0) {
      for (const work of works) this.#schedule.add({ ...work, alone: true });
      return;
    }
    // A thread may end of what another task left in it: only in a process of its own is it this one's doing.
    if (death.kind === 'killed' || (death.kind === 'exit' && only.suspect === undefined)) {
      this.#runSuspect(only.held, only.task, death.kind === 'killed').catch((again: unknown) => {
        this.#noteTrouble(String(again));
        this.#held.handBack(only.held, retryDelayMs);
      });
      return;
    }
    const { kind, message } = death;
    this.#failLater(only, {
      error: { name: deathNames[kind], message, stack: '' },
      output: '',
      final: false,
    });
  }

  #failLater(work: Work, failure: Omit<AttemptFailure, 'failureRevision' | 'strikes'>): void {
    const known = work.suspect ?? { failureRevision: work.task.failureExpects, strikes: 0 };
    this.#fail(work.held, work.task, { ...failure, ...known }).catch((error: unknown) => {
      this.#noteTrouble(String(error));
      this.#held.handBack(work.held, retryDelayMs);
    });
  }

  async #fail(held: HeldParcel, task: ParcelTask, failure: AttemptFailure): Promise<void> {
    await storeFailure(this.#context, held.parcel, task, failure);
    this.#held.settle(held);
  }

  #countBegun(works: readonly Work[], change: 1 | -1): void {
    for (const { held, task } of works) {
      const { functionName } = held.parcel;
      this.#runningNow.set(functionName, (this.#runningNow.get(functionName) ?? 0) + change);
      if (change < 0) continue;
      held.started = true;
      this.#begun++;
      this.#options.trace({ kind: 'task-started', task: task.id });
    }
  }

  #noteParcel(ms: number): void {
    this.#parcelMs =
      this.#parcelMs === undefined ? ms : this.#parcelMs + 0.1 * (ms - this.#parcelMs);
  }

  #handBackWaiting(): void {
    for (const held of this.#held.untouched(performance.now() - handBackAfterMs)) {
      if (this.#schedule.running >= this.#options.threads) this.#held.handBack(held);
    }
    this.#setRoom();
  }

  #noteFull(reason: string | undefined): void {
    if (reason === this.#full) return;
    this.#full = reason;
    this.#noteTrouble(
      reason && `the server does not take results: ${reason}: free space or raise its limits`,
    );
    this.#setRoom();
  }

  #noteTrouble(reason: string | undefined): void {
    if (reason === this.#trouble) return;
    this.#trouble = reason;
    this.#options.trace(reason === undefined ? { kind: 'recovered' } : { kind: 'trouble', reason });
  }

  #report(): { running: Record<string, number>; note?: string } {
    const running = Object.fromEntries([...this.#runningNow].filter(([, count]) => count > 0));
    return this.#trouble === undefined ? { running } : { running, note: this.#trouble };
  }
}

const retryDelayMs = 2000;
const farewellMs = 2000;
const drainFullMs = 10_000;

const deathNames = { timeout: 'Timeout', memory: 'OutOfMemory', exit: 'Exit' } as const;
