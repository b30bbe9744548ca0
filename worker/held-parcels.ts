/**
 * The parcels that a worker has taken: kept alive by heartbeats, acknowledged when each of their tasks is settled.
 *
 * After its ack wait without a heartbeat (the process was stopped, the laptop slept) a parcel is another's: nothing more
 * is sent for it, since a late answer would hit the newer delivery.
 */
import type { Delivery, Pulse } from '../broker/pull.ts';
import type { RunId, TaskId } from '../core/identifiers.ts';
import type { Parcel } from '../core/parcel.ts';
import { ParcelEnds, type TaskEnd } from './parcel-ends.ts';

/** A parcel in this worker's hands. */
export interface HeldParcel {
  /** The newest delivery of its message. */
  delivery: Delivery & Pulse;
  readonly parcel: Parcel;
  readonly takenAt: number;
  /** Tasks without a result, failure record or other end. */
  left: number;
  /** At least one of its tasks has begun. */
  started: boolean;
  /** When the last heartbeat was sent, on the monotonic clock. */
  aliveAt: number;
  /** How those of its tasks ended that others of them wait for; undefined: none waits. */
  readonly ends: ParcelEnds | undefined;
  /** None of its tasks is to be started any more. */
  gone: boolean;
  /** Its message was handed back, or taken out of the queue: nothing more is sent for it. */
  answered: boolean;
}

export interface HeldOptions {
  readonly ackWaitMs: number;
  /** Sends a heartbeat for a delivery; on a connection that large results do not delay. */
  readonly beat: (replySubject: string) => void;
  /** Whether the worker still hears the queue; a deaf one must not look alive. */
  readonly isDeaf: () => boolean;
  readonly onAcked: (held: HeldParcel) => void;
}

/** Of an ack wait: how often heartbeats are sent, and after how long without one a parcel is another's. */
const beatShare = 1 / 3;
const lostShare = 0.9;
/** By then the dispatcher has taken out of the queue what nobody wants of a run that has ended; the rest is wanted. */
const endingMs = 10_000;

export class HeldParcels {
  readonly #held = new Set<HeldParcel>();
  /** Runs that a failure here has ended, and when. */
  readonly #endedRuns = new Map<RunId, number>();
  readonly #options: HeldOptions;
  readonly #timer: NodeJS.Timeout;
  #waiting: (() => void)[] = [];

  constructor(options: HeldOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#beat();
    }, options.ackWaitMs * beatShare);
  }

  get size(): number {
    return this.#held.size;
  }

  /**
   * Takes a delivery of a message that is in hand already: after a standstill of this process the server gives it out
   * again, and may give it to us. The work goes on, under the new delivery.
   *
   * @returns false if the message is not in hand
   */
  adopt(delivery: Delivery & Pulse, parcel: Parcel): boolean {
    const [head] = parcel.tasks;
    for (const held of this.#held) {
      if (held.parcel.tasks[0]?.id !== head?.id) continue;
      held.delivery = delivery;
      held.aliveAt = performance.now();
      return true;
    }
    return false;
  }

  take(delivery: Delivery & Pulse, parcel: Parcel): HeldParcel {
    const now = performance.now();
    const held: HeldParcel = {
      delivery,
      parcel,
      takenAt: now,
      left: parcel.tasks.length,
      ends: ParcelEnds.of(parcel),
      started: false,
      aliveAt: now,
      gone: false,
      answered: false,
    };
    this.#held.add(held);
    return held;
  }

  /** One more task has come to its end; the last one acknowledges the parcel. */
  settle(held: HeldParcel, id: TaskId, end: TaskEnd): void {
    held.ends?.note(id, end);
    held.left--;
    if (held.left > 0) return;
    if (!held.answered && !this.#isLate(held)) held.delivery.ack();
    this.#remove(held);
    this.#options.onAcked(held);
  }

  /** Gives a parcel back to the queue, at once or after a delay. */
  handBack(held: HeldParcel, delayMs = 0): void {
    if (!held.answered && !this.#isLate(held)) held.delivery.handBack(delayMs);
    held.gone = true;
    held.answered = true;
    this.#remove(held);
  }

  /** Whether the message is this worker's to give back as if nobody had had it: nobody has begun with it, here or before. */
  isFresh(held: HeldParcel): boolean {
    return !held.started && !held.answered && held.delivery.deliveries === 1 && !this.#isLate(held);
  }

  /** The parcel of this message, if it is in hand. */
  find(queue: string, head: TaskId): HeldParcel | undefined {
    for (const held of this.#held) {
      if (held.parcel.tasks[0]?.id === head && held.delivery.queue === queue) return held;
    }
    return undefined;
  }

  /**
   * What waits here of a run that a failure has ended is not begun; the dispatcher takes it out of the queue. Not so what
   * comes to its end all the same, the failed task before all: that is acknowledged.
   */
  endRun(run: RunId): void {
    this.#endedRuns.set(run, performance.now());
    for (const held of this.all()) {
      if (held.parcel.run !== run) continue;
      held.gone = true;
      this.#remove(held);
    }
  }

  /** Whether a failure here has ended the run just now: what still comes of it may not be wanted any more. */
  isEnding(run: RunId): boolean {
    return performance.now() - (this.#endedRuns.get(run) ?? -Infinity) < endingMs;
  }

  /** Whether another worker may have, or have had, the same message. */
  mayHaveTwin({ delivery, takenAt }: HeldParcel): boolean {
    return delivery.deliveries > 1 || performance.now() - takenAt > this.#options.ackWaitMs / 2;
  }

  /** Lets go of a parcel whose message is gone from the queue, or about to go: nothing is sent for it. */
  drop(held: HeldParcel): void {
    held.gone = true;
    held.answered = true;
    this.#remove(held);
  }

  /** Parcels of which nothing has begun, and that were taken before this moment of the monotonic clock. */
  untouched(before: number): HeldParcel[] {
    return [...this.#held].filter((each) => !each.started && each.takenAt < before);
  }

  /** All parcels. */
  all(): HeldParcel[] {
    return [...this.#held];
  }

  /** Resolves when nothing is held. */
  async empty(): Promise<void> {
    while (this.#held.size > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Without a heartbeat for so long, the message is another delivery's. */
  #isLate(held: HeldParcel): boolean {
    return performance.now() - held.aliveAt > this.#options.ackWaitMs * lostShare;
  }

  #remove(held: HeldParcel): void {
    this.#held.delete(held);
    if (this.#held.size > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #beat(): void {
    if (this.#options.isDeaf()) return;
    for (const held of this.#held) {
      if (this.#isLate(held)) continue;
      held.aliveAt = performance.now();
      this.#options.beat(held.delivery.replySubject);
    }
  }
}
