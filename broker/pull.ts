/**
 * Takes parcels from one queue, just as many as the worker asks for.
 *
 * The worker sets `wanted`; the puller keeps pull requests open for the difference to what is held and asked for. It
 * makes the consumer again when it is gone, asks again after a reconnect, and counts a request as lost when the server
 * has not ended it in time: so it can be late but not deaf.
 */
import {
  AckPolicy,
  createInbox,
  nanos,
  NatsError,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  type Subscription,
} from 'nats';
import { outsideReading } from './callbacks.ts';
import { isDelivery, readPlace } from './delivery-place.ts';
import { isNotFound, toJugqError } from './nats-errors.ts';
import { onReconnect } from './reconnects.ts';
import { queueSubjects, type Names } from './topology.ts';

/** A parcel on delivery. */
export interface Delivery {
  readonly data: Uint8Array;
  readonly queue: string;
  /** How many times the server has delivered it, this time included. */
  readonly deliveries: number;
  /** Removes it from the queue; resolves when it was sent. */
  ack(): void;
  /** As `ack`; resolves with whether the server has confirmed it. */
  remove(): Promise<boolean>;
  /** Gives it back, to be delivered again at once or after a delay. */
  handBack(delayMs: number): void;
}

/** What heartbeats need of a delivery. */
export interface Pulse {
  /** Subject to publish `inProgress` to. */
  readonly replySubject: string;
}

const utf8 = new TextEncoder();
export const inProgress = utf8.encode('+WPI');
const ack = utf8.encode('+ACK');

const expiresMs = 15_000;
const lostAfterMs = expiresMs + 3000;
const retryMs = 1000;
const removeMs = 5000;
const deafAfterMs = 60_000;
/** Pull requests that a queue may have open, of all its workers; the server's default of 512 is a few hundred of them. */
const requestsMax = 16_384;

export interface PullOptions {
  readonly queue: string;
  readonly ackWaitMs: number;
  readonly onDelivery: (delivery: Delivery & Pulse) => void;
  /** Something keeps it from pulling, or no longer does. */
  readonly onTrouble: (trouble: Error | undefined) => void;
}

/** One pull request. Each has a subscription of its own: a delivery does not say which request it answers. */
interface Request {
  left: number;
  readonly sentAt: number;
  readonly subscription: Subscription;
}

export class Puller {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #names: Names;
  readonly #options: PullOptions;
  readonly #requests = new Set<Request>();
  /** Not counted on any more, but listened to until the server has dropped them. */
  readonly #left = new Set<Request>();
  readonly #timer: NodeJS.Timeout;
  readonly #offReconnect: () => void;
  #room = 0;
  #asked = 0;
  #ready = false;
  #preparing = false;
  #preparedAt = -Infinity;
  #troubled = false;
  #stopped = false;
  #signAt = performance.now();

  constructor(
    connection: NatsConnection,
    manager: JetStreamManager,
    names: Names,
    options: PullOptions,
  ) {
    this.#connection = connection;
    this.#manager = manager;
    this.#names = names;
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#forgetLost();
    }, 1000).unref();
    this.#offReconnect = onReconnect(connection, () => {
      for (const each of this.#requests) this.#leave(each);
      this.#signAt = performance.now();
      this.#prepare();
    });
    this.#prepare();
  }

  /** Whether it wants messages and has had no sign from the server for a minute, though each request ends in seconds. */
  get isDeaf(): boolean {
    return this.#room > 0 && performance.now() - this.#signAt > deafAfterMs;
  }

  /** How many more messages the worker would take now, those already asked for included. */
  setRoom(room: number): void {
    if (this.#room === 0) this.#signAt = performance.now();
    this.#room = room;
    this.#ask();
  }

  /** Asks for nothing more; what was asked for may still come. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#offReconnect();
  }

  #ask(): void {
    const missing = this.#room - this.#asked;
    if (this.#stopped || !this.#ready || missing <= 0 || this.#connection.isClosed()) return;
    // Under a flood, asking for one at a time would be a request a message.
    if (this.#asked > 0 && missing * 4 < this.#room) return;
    const inbox = createInbox();
    const take = outsideReading((message: Msg) => {
      this.#take(request, message);
    });
    const request: Request = {
      left: missing,
      sentAt: performance.now(),
      subscription: this.#connection.subscribe(inbox, {
        callback: (_error, message) => {
          take(message);
        },
      }),
    };
    this.#requests.add(request);
    this.#asked += missing;
    this.#connection.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${this.#names.tasks}.${consumerName(this.#options.queue)}`,
      JSON.stringify({ batch: missing, expires: nanos(expiresMs) }),
      { reply: inbox },
    );
  }

  #take(request: Request, message: Msg): void {
    this.#signAt = performance.now();
    if (!isDelivery(message.reply)) {
      this.#end(request, message.headers?.code ?? 0);
      return;
    }
    if (this.#requests.has(request)) {
      request.left--;
      this.#asked--;
      if (request.left === 0) this.#forget(request);
    }
    const { reply, data } = message;
    const send = (answer: Uint8Array): void => {
      if (!this.#connection.isClosed()) this.#connection.publish(reply, answer);
    };
    this.#options.onDelivery({
      data,
      queue: this.#options.queue,
      replySubject: reply,
      deliveries: readPlace(reply).deliveries,
      ack: () => {
        send(ack);
      },
      remove: () => this.#remove(reply),
      handBack: (delayMs) => {
        send(
          utf8.encode(delayMs === 0 ? '-NAK' : `-NAK ${JSON.stringify({ delay: nanos(delayMs) })}`),
        );
      },
    });
  }

  async #remove(reply: string): Promise<boolean> {
    try {
      await this.#connection.request(reply, ack, { timeout: removeMs });
      return true;
    } catch (error) {
      if (error instanceof NatsError) return false;
      throw error;
    }
  }

  /** 408: expired; 409: consumer or leader gone, or too many ask; 503: nobody there. 100 is a sign of life. */
  #end(request: Request, code: number): void {
    if (code === 100) return;
    if (!this.#requests.has(request)) {
      this.#drop(request);
      return;
    }
    this.#forget(request);
    if (code === 408) this.#ask();
    else this.#prepare();
  }

  #forget(request: Request): void {
    this.#leave(request);
    this.#drop(request);
  }

  /**
   * After a reconnect the server may know the request still, or not: others are sent in its place, and what comes for
   * it is taken all the same. Nobody else would get it before the ack wait.
   */
  #leave(request: Request): void {
    this.#requests.delete(request);
    this.#asked -= request.left;
    this.#left.add(request);
  }

  #drop(request: Request): void {
    this.#left.delete(request);
    request.subscription.unsubscribe();
  }

  #forgetLost(): void {
    const before = performance.now() - lostAfterMs;
    for (const each of this.#left) if (each.sentAt < before) this.#drop(each);
    const lost = [...this.#requests].filter((each) => each.sentAt < before);
    for (const each of lost) this.#forget(each);
    if (lost.length > 0) this.#prepare();
    else this.#ask();
  }

  /** Makes the consumer if it is missing, then asks; not more often than every so often, whatever the server says. */
  #prepare(): void {
    this.#ready = false;
    if (this.#preparing || this.#stopped) return;
    this.#preparing = true;
    const pauseMs = this.#preparedAt + retryMs - performance.now();
    setTimeout(
      () => {
        void this.#makeReady();
      },
      Math.max(0, pauseMs),
    ).unref();
  }

  async #makeReady(): Promise<void> {
    this.#preparedAt = performance.now();
    try {
      await ensureConsumer(this.#manager, this.#names, this.#options);
    } catch (error) {
      this.#preparing = false;
      if (this.#stopped || this.#connection.isClosed()) return;
      this.#troubled = true;
      this.#options.onTrouble(toJugqError(error, `taking from the queue ${this.#options.queue}`));
      this.#prepare();
      return;
    }
    this.#preparing = false;
    if (this.#stopped) return;
    this.#ready = true;
    // After a time without a consumer nothing can have come; what is to come has a minute from now.
    if (this.#troubled) this.#signAt = performance.now();
    this.#troubled = false;
    this.#options.onTrouble(undefined);
    this.#ask();
  }
}

function consumerName(queue: string): string {
  return `queue-${queue}`;
}

/**
 * One durable consumer a queue, shared by all workers. No bound on what is under way (its default of 1,000 lets one
 * worker starve all others) nor on deliveries: past such a bound a message would stay and block its subject.
 *
 * One that is there is not asked for: see `ensureTopology`.
 */
async function ensureConsumer(
  manager: JetStreamManager,
  names: Names,
  options: { queue: string; ackWaitMs: number },
): Promise<void> {
  const config = {
    durable_name: consumerName(options.queue),
    filter_subject: queueSubjects(names, options.queue),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(options.ackWaitMs),
    max_deliver: -1,
    max_ack_pending: -1,
    max_waiting: requestsMax,
  };
  if (await findWithAckWait(manager, names, config)) return;
  try {
    await manager.consumers.add(names.tasks, config);
  } catch (error) {
    // Somebody else with other settings was quicker.
    if (!(error instanceof NatsError) || error.api_error?.err_code !== consumerExists) throw error;
    await findWithAckWait(manager, names, config);
  }
}

/**
 * Gives the consumer our ack wait, which decides over our heartbeats; whatever else an operator has set stays.
 *
 * @returns false if there is none
 */
async function findWithAckWait(
  manager: JetStreamManager,
  names: Names,
  wanted: { readonly durable_name: string; readonly ack_wait: number },
): Promise<boolean> {
  const { durable_name: consumer, ack_wait } = wanted;
  try {
    const { config } = await manager.consumers.info(names.tasks, consumer);
    if (config.ack_wait !== ack_wait)
      await manager.consumers.update(names.tasks, consumer, { ...config, ack_wait });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** `consumer already exists`: with other settings, which an operator may have chosen. */
const consumerExists = 10148;
