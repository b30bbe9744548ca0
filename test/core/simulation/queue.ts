/** The work queue: one message a subject, handed out again after the ack wait, removed some time after its ack. */
import type { MessagePlace } from '../../../core/dispatch.ts';
import { messageKey } from '../../../core/ledger.ts';
import type { Parcel } from '../../../core/parcel.ts';

export interface QueuedMessage extends MessagePlace {
  readonly sequence: number;
  readonly parcel: Parcel;
  deliveries: number;
  /** When it can be delivered (again). */
  freeAt: number;
  /** When it goes: it was acknowledged. */
  leavesAt: number;
}

/** A message in a worker's hands. */
export interface SimulatedDelivery {
  readonly message: QueuedMessage;
  /** 1 for the first time. */
  readonly number: number;
}

export class SimulatedQueue {
  readonly ackWaitMs: number;
  #sequence = 0;
  #messages = new Map<string, QueuedMessage>();

  constructor(ackWaitMs: number) {
    this.ackWaitMs = ackWaitMs;
  }

  /** The messages that are there now. */
  all(now: number): QueuedMessage[] {
    this.#expire(now);
    return [...this.#messages.values()];
  }

  get(place: MessagePlace, now: number): QueuedMessage | undefined {
    this.#expire(now);
    return this.#messages.get(messageKey(place));
  }

  /** False: a message of this subject is there. */
  publish(place: MessagePlace, parcel: Parcel, now: number): boolean {
    if (this.get(place, now) !== undefined) return false;
    const { head, queue } = place;
    const sequence = ++this.#sequence;
    const message = { head, queue, parcel, sequence, deliveries: 0, freeAt: 0, leavesAt: Infinity };
    this.#messages.set(messageKey(place), message);
    return true;
  }

  /** Hands out a message of these queues that nobody holds, or undefined. */
  deliver(
    now: number,
    queues: readonly string[],
    choose: (free: readonly QueuedMessage[]) => QueuedMessage,
  ): SimulatedDelivery | undefined {
    const free = this.all(now).filter(
      (each) => each.freeAt <= now && each.leavesAt === Infinity && queues.includes(each.queue),
    );
    if (free.length === 0) return undefined;
    const message = choose(free);
    message.deliveries++;
    message.freeAt = now + this.ackWaitMs;
    return { message, number: message.deliveries };
  }

  /** A heartbeat; a late one of an earlier delivery does nothing. */
  extend({ message, number }: SimulatedDelivery, now: number): void {
    if (message.deliveries === number) message.freeAt = now + this.ackWaitMs;
  }

  handBack({ message, number }: SimulatedDelivery, at: number): void {
    if (message.deliveries === number) message.freeAt = at;
  }

  /** Acknowledges; any delivery can. The removal takes effect at `leavesAt`. */
  ack({ message }: SimulatedDelivery, leavesAt: number): void {
    message.leavesAt = Math.min(message.leavesAt, leavesAt);
  }

  /** Deletes by sequence; nothing happens if the message has gone. */
  delete(sequence: number): void {
    for (const [key, message] of this.#messages) {
      if (message.sequence === sequence) this.#messages.delete(key);
    }
  }

  /** The server comes back without its queue. */
  lose(): void {
    this.#messages = new Map();
  }

  #expire(now: number): void {
    for (const [key, message] of this.#messages) {
      if (message.leavesAt <= now) this.#messages.delete(key);
    }
  }
}
