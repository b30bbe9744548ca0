/**
 * The worker: takes parcels, runs their tasks in threads, stores what they give, and acknowledges what is stored.
 *
 * One parcel's way: taken → (looked up) → inputs fetched → scheduled → run → stored → acknowledged. User code runs in
 * threads and child processes only, so nothing of the user's can delay heartbeats.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenProject } from '../broker/project.ts';
import { Puller, type Delivery, type Pulse } from '../broker/pull.ts';
import { hearRecalls, type RecalledMessage, type RecallKind } from '../broker/recall.ts';
import { JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import { decodeParcel, type Parcel } from '../core/parcel.ts';
import type { WorkerRecord } from '../core/records.ts';
import { Batches } from './batches.ts';
import { CodeFiles } from './code-files.ts';
import { handBackAnew } from './hand-back.ts';
import { HeldParcels, type HeldParcel } from './held-parcels.ts';
import { Inputs } from './inputs.ts';
import { Preparation } from './preparation.ts';
import { Presence } from './presence.ts';
import type { Runners } from './runners.ts';
import { Schedule } from './schedule.ts';
import type { Trace } from './trace.ts';
import { handBackFailed, type WorkerContext } from './worker-context.ts';

export interface WorkerOptions {
  readonly project: OpenProject;
  /** Unique name, without spaces. */
  readonly id: string;
  /** Its threads, which end with it. */
  readonly runners: Runners;
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
/** Of a run that has just ended: in a moment the message is gone, or wanted by another run. */
const endedDelayMs = 2000;
/** A parcel of a newer format: another worker may know it. */
const foreignDelayMs = 30_000;

export class WorkerDaemon {
  readonly #options: WorkerOptions;
  readonly #held: HeldParcels;
  readonly #schedule: Schedule;
  readonly #pullers: Puller[];
  readonly #presence: Presence;
  readonly #context: WorkerContext;
  readonly #preparation: Preparation;
  readonly #batches: Batches;
  readonly #recalls: { stop(): void };
  readonly #timer: NodeJS.Timeout;
  readonly #handingBack = new Set<Promise<void>>();
  #parcelMs: number | undefined;
  #full: string | undefined;
  #trouble: string | undefined;
  #draining = false;

  constructor(options: WorkerOptions) {
    const { project, runners, queues, ackWaitMs, trace } = options;
    const threads = runners.threads.length;
    this.#options = options;
    this.#schedule = new Schedule(threads);
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
    this.#context = {
      project,
      inputs: new Inputs(project),
      held: this.#held,
      worker: options.id,
      trace,
      onFull: (reason) => {
        this.#noteFull(reason);
      },
      onTrouble: (reason) => {
        this.#noteTrouble(reason);
      },
    };
    this.#batches = new Batches(
      this.#context,
      { schedule: this.#schedule, threads: runners.threads, suspects: runners.suspects },
      {
        onBatchEnd: () => {
          this.#setRoom();
        },
        onParcelMs: (ms) => {
          this.#noteParcel(ms);
        },
        rerunSuspect: (held, task, died) => this.#preparation.runSuspect(held, task, died),
        rerunFollower: async (held, task) => {
          await this.#preparation.prepareTask(held, task);
          this.#batches.pump();
        },
      },
    );
    const code = new CodeFiles(project, options.directory);
    this.#preparation = new Preparation(this.#context, code, this.#batches);
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
    return this.#batches.begun;
  }

  /** Tasks that run now, by function. */
  get running(): ReadonlyMap<string, number> {
    return this.#batches.running;
  }

  /**
   * Takes no more, hands back what has not begun, and resolves when the rest is stored and acknowledged.
   *
   * @returns how many parcels were handed back although they were run, because the server has had no room for too long
   */
  async drain(): Promise<number> {
    this.#draining = true;
    for (const puller of this.#pullers) puller.stop();
    for (const held of this.#held.untouched(Infinity)) this.#handBack(held);
    const ended = new AbortController();
    await Promise.race([this.#held.empty(), this.#noRoom(ended.signal)]);
    ended.abort();
    const left = this.#held.all();
    for (const held of left) this.#held.handBack(held);
    await this.#handedBack();
    await this.#end();
    return left.length;
  }

  /** Ends what runs, hands everything back. */
  async abort(): Promise<void> {
    this.#draining = true;
    for (const puller of this.#pullers) puller.stop();
    for (const held of this.#held.all()) this.#handBack(held);
    await this.#handedBack();
    await this.#end();
  }

  /** What was begun goes back as it is: whoever gets it next has to see what became of it. */
  #handBack(held: HeldParcel): void {
    const [head] = held.parcel.tasks;
    if (head === undefined || !this.#held.isFresh(held)) this.#held.handBack(held);
    else {
      this.#held.drop(held);
      this.#handBackAnew(held.delivery, head.id);
    }
  }

  #handBackAnew(delivery: Delivery, head: TaskId): void {
    const doing = handBackAnew(this.#options.project, delivery, head).finally(() =>
      this.#handingBack.delete(doing),
    );
    this.#handingBack.add(doing);
  }

  /** Resolves when what goes back is in the queue; not if the server is away: then the dispatcher sees to it. */
  async #handedBack(): Promise<void> {
    const ended = new AbortController();
    // What was asked for before this worker stopped asking may still have come.
    const all = async (): Promise<void> => {
      while (this.#handingBack.size > 0) await Promise.all(this.#handingBack);
    };
    await Promise.race([all(), delay(farewellMs, undefined, { signal: ended.signal })]);
    ended.abort();
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
    await this.#options.runners.close();
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
    if (kind === 'all') this.#batches.recallGone();
    this.#setRoom();
    return stays;
  }

  /** How many parcels this worker wants in its hands: one a thread, and as many as it will start within a moment. */
  #setRoom(): void {
    const { runners, maxTasks } = this.#options;
    const threads = runners.threads.length;
    const known = this.#parcelMs;
    const ahead =
      known === undefined || known > longMs
        ? 0
        : Math.min(aheadMax, Math.ceil((threads * lookAheadMs) / Math.max(known, 0.01)));
    const left =
      maxTasks === undefined
        ? Infinity
        : maxTasks - this.#batches.begun - this.#held.untouched(Infinity).length;
    const free = Math.min(threads + ahead - this.#held.size, left);
    const room = this.#draining || this.#full !== undefined ? 0 : free;
    for (const puller of this.#pullers) puller.setRoom(Math.max(0, room));
  }

  #take(delivery: Delivery & Pulse, queue: string): void {
    const parcel = this.#read(delivery);
    if (parcel === undefined) return;
    if (this.#draining) {
      const [head] = parcel.tasks;
      if (head === undefined || delivery.deliveries > 1) delivery.handBack(0);
      else this.#handBackAnew(delivery, head.id);
      return;
    }
    if (this.#held.isEnding(parcel.run)) {
      delivery.handBack(endedDelayMs);
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
      delivery.deliveries > 1
        ? this.#preparation.prepareSuspect(held, queue)
        : this.#preparation.prepare(held);
    prepared.catch((error: unknown) => {
      handBackFailed(this.#context, held, error);
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

  #noteParcel(ms: number): void {
    this.#parcelMs =
      this.#parcelMs === undefined ? ms : this.#parcelMs + 0.1 * (ms - this.#parcelMs);
  }

  #handBackWaiting(): void {
    for (const held of this.#held.untouched(performance.now() - handBackAfterMs)) {
      if (this.#schedule.isBusy) this.#handBack(held);
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

  #report(): Pick<WorkerRecord, 'running' | 'progress' | 'note'> {
    const running = Object.fromEntries([...this.#batches.running].filter(([, count]) => count > 0));
    const progress = this.#options.runners.links.progress.slice(0, progressMax);
    return {
      running,
      ...(progress.length === 0 ? {} : { progress }),
      ...(this.#trouble === undefined ? {} : { note: this.#trouble }),
    };
  }
}

/** A record is for people to look at, and far smaller than a message. */
const progressMax = 20;
const farewellMs = 2000;
const drainFullMs = 10_000;
