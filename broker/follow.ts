/**
 * Follows a stream in order and without gaps, from a sequence on, for as long as the process lives.
 *
 * A push consumer without acknowledgements, made again from the last message seen whenever a message is missing, the
 * heartbeat stops or the connection was lost. A stream that was deleted and made again would leave such a consumer
 * deaf: each time the consumer is made, the stream's creation time and last sequence are compared with what was
 * seen. A stream that is not the same one any more is reported, and the new one followed from its first message.
 *
 * The consumer lives on one of the stream's replicas, which may be behind: what comes is late then, but caught up is only
 * who has come as far as the stream's leader was at the start.
 */
import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  nanos,
  ReplayPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  type JetStreamManager,
  type Msg,
  type NatsConnection,
  type StreamInfo,
  type Subscription,
} from 'nats';
import { outsideReading } from './callbacks.ts';
import { isDelivery, readPlace } from './delivery-place.ts';
import { readHeaders, type HeaderReader } from './message-headers.ts';
import { isNotFound, toJugqError } from './nats-errors.ts';
import { onReconnect } from './reconnects.ts';
import { lastSequenceOf, streamInfo } from './stream-state.ts';

/** A message of a followed stream. */
export interface Followed {
  readonly subject: string;
  readonly sequence: number;
  /** When the server stored it, epoch ms of its clock. */
  readonly storedAt: number;
  readonly headers: HeaderReader | undefined;
  /** Empty with `headersOnly`. */
  readonly data: Uint8Array;
}

export interface FollowOptions {
  readonly stream: string;
  /** First sequence wanted; 1 for all that is there. */
  readonly from: number;
  /** Only messages of these subjects; default all. */
  readonly subjects?: readonly string[];
  readonly headersOnly?: boolean;
  readonly onMessage: (message: Followed) => void;
  /**
   * The stream was deleted, or came back with less than was seen: nothing that was read from it holds any more. Unless
   * this stops the following, the messages of the new stream come next, from its first.
   */
  readonly onReplaced?: () => void;
}

export interface Following {
  /**
   * Resolves when everything that was in the stream at the start has been handed over.
   *
   * @throws JugqError `SERVER_UNREACHABLE` if the connection was closed before that
   */
  readonly caughtUp: Promise<void>;
  /** Up to here everything was handed over that was there. */
  readonly sequence: number;
  stop(): void;
}

const heartbeatMs = 5000;
const silentAfterMs = 3 * heartbeatMs;
const retryMs = 500;

/** Starts to follow. Errors on the way are retried for ever; `stop` ends it. */
export function follow(
  connection: NatsConnection,
  manager: JetStreamManager,
  options: FollowOptions,
): Following {
  return new Follower(connection, manager, options);
}

class Follower implements Following {
  readonly caughtUp: Promise<void>;
  sequence: number;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #options: FollowOptions;
  readonly #offReconnect: () => void;
  readonly #watchdog: NodeJS.Timeout;
  #catchUp: () => void = () => undefined;
  #giveUp: (error: Error) => void = () => undefined;
  #subscription: Subscription | undefined;
  #consumer = '';
  /** Creation time of the stream; undefined until it was seen, and again once it is gone. */
  #created: string | undefined;
  /** Last sequence of the stream when it was first seen; of replicas, that of the last message that is to come. */
  #target = 0;
  /** Having nothing more to send shows only how far the consumer's own replica has come. */
  #hasReplicas = false;
  #isCaughtUp = false;
  #delivered = 0;
  #heardAt = performance.now();
  #generation = 0;

  constructor(connection: NatsConnection, manager: JetStreamManager, options: FollowOptions) {
    this.#connection = connection;
    this.#manager = manager;
    this.#options = options;
    this.sequence = options.from - 1;
    this.caughtUp = new Promise((resolve, reject) => {
      this.#catchUp = () => {
        this.#isCaughtUp = true;
        // Its last messages may have been removed, or be of other subjects.
        this.sequence = Math.max(this.sequence, this.#target);
        resolve();
      };
      this.#giveUp = reject;
    });
    // Not everybody waits for it.
    this.caughtUp.catch(() => undefined);
    this.#offReconnect = onReconnect(connection, () => {
      this.#restart();
    });
    this.#watchdog = setInterval(() => {
      if (performance.now() - this.#heardAt > silentAfterMs) this.#restart();
    }, heartbeatMs).unref();
    this.#restart();
  }

  stop(): void {
    this.#generation++;
    this.#offReconnect();
    clearInterval(this.#watchdog);
    this.#subscription?.unsubscribe();
    this.#removeConsumer(this.#consumer);
  }

  #restart(): void {
    this.#heardAt = performance.now();
    const generation = ++this.#generation;
    void this.#open(generation).catch((error: unknown) => {
      if (generation !== this.#generation) return;
      if (this.#connection.isClosed()) {
        this.stop();
        this.#giveUp(toJugqError(error, `following ${this.#options.stream}`));
        return;
      }
      setTimeout(() => {
        if (generation === this.#generation) this.#restart();
      }, retryMs).unref();
    });
  }

  async #open(generation: number): Promise<void> {
    this.#subscription?.unsubscribe();
    const stream = await this.#findStream();
    if (generation !== this.#generation) return;
    this.#compare(stream);
    if (generation !== this.#generation) return;
    if (this.#hasReplicas && !this.#isCaughtUp) {
      this.#target = await lastSequenceOf(this.#manager, this.#options);
      if (generation !== this.#generation) return;
    }
    const inbox = createInbox();
    this.#delivered = 0;
    const take = outsideReading((message: Msg) => {
      if (generation === this.#generation) this.#take(message);
    });
    this.#subscription = this.#connection.subscribe(inbox, {
      callback: (_error, message) => {
        take(message);
      },
    });
    const consumer = await this.#manager.consumers.add(
      this.#options.stream,
      this.#configuration(inbox),
    );
    if (generation !== this.#generation) {
      this.#removeConsumer(consumer.name);
      return;
    }
    this.#consumer = consumer.name;
    if (this.#isAtEnd(consumer)) this.#catchUp();
  }

  async #findStream(): Promise<StreamInfo> {
    try {
      return await streamInfo(this.#manager, this.#options.stream);
    } catch (error) {
      if (isNotFound(error)) this.#replace();
      throw error;
    }
  }

  /** Takes note of the stream that is there, which may be another than the one that was followed. */
  #compare({ created, state, config }: StreamInfo): void {
    const other = this.#created !== undefined && this.#created !== created;
    if (other || state.last_seq < this.sequence) this.#replace();
    if (this.#created === undefined) {
      this.#target = state.last_seq;
      this.#hasReplicas = config.num_replicas > 1;
    }
    this.#created = created;
  }

  /** Forgets the stream that is gone, and says so unless nothing had been seen of it. */
  #replace(): void {
    const seen = this.#created !== undefined || this.sequence > 0;
    this.#created = undefined;
    this.sequence = 0;
    if (seen) this.#options.onReplaced?.();
  }

  /** What the consumer has sent may be on its way still; the last of it says so itself. */
  #isAtEnd(consumer: ConsumerInfo): boolean {
    if (this.#hasReplicas) return this.sequence >= this.#target;
    return consumer.num_pending === 0 && consumer.delivered.consumer_seq <= this.#delivered;
  }

  #removeConsumer(name: string): void {
    if (this.#connection.isClosed() || name === '') return;
    // A consumer that nobody listens to ends by itself; telling the server saves it the wait.
    void this.#manager.consumers.delete(this.#options.stream, name).catch(() => undefined);
  }

  #configuration(inbox: string): Partial<ConsumerConfig> {
    const { subjects, headersOnly } = this.#options;
    return {
      // Marked as deprecated because the client has another interface for it, which does not say when it loses something.
      deliver_subject: inbox,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: this.sequence + 1,
      ack_policy: AckPolicy.None,
      replay_policy: ReplayPolicy.Instant,
      flow_control: true,
      idle_heartbeat: nanos(heartbeatMs),
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(silentAfterMs),
      ...(headersOnly === true ? { headers_only: true } : {}),
      ...(subjects === undefined ? {} : { filter_subjects: [...subjects] }),
    };
  }

  #take(message: Msg): void {
    this.#heardAt = performance.now();
    const { reply } = message;
    if (!isDelivery(reply)) {
      this.#takeStatus(message);
      return;
    }
    const place = readPlace(reply);
    if (place.delivered !== this.#delivered + 1) {
      this.#restart();
      return;
    }
    this.#delivered = place.delivered;
    this.sequence = place.sequence;
    const generation = this.#generation;
    this.#options.onMessage({
      subject: message.subject,
      sequence: place.sequence,
      storedAt: place.storedAt,
      headers: readHeaders(message),
      data: message.data,
    });
    if (generation !== this.#generation || this.#isCaughtUp) return;
    // In a busy stream something is always pending: what counts is what was there at the start.
    const isLast = place.pending === 0 && !this.#hasReplicas;
    if (isLast || place.sequence >= this.#target) this.#catchUp();
  }

  /** Idle heartbeats and requests of the flow control: the latter want an answer. */
  #takeStatus({ headers, reply }: Msg): void {
    const stalled = headers?.get('Nats-Consumer-Stalled') ?? '';
    const answer = reply !== undefined && reply !== '' ? reply : stalled;
    if (answer !== '') this.#connection.publish(answer);
    const last = headers?.get('Nats-Last-Consumer') ?? '';
    if (last === '') return;
    if (Number(last) > this.#delivered) this.#restart();
    else if (stalled !== '' || this.#isCaughtUp) return;
    // Idle with nothing on its way: what was pending at the start has been removed or replaced meanwhile, or this replica
    // is behind. Another one may get the next consumer, and what there is to wait for is asked anew.
    else if (this.#hasReplicas) this.#restart();
    else this.#catchUp();
  }
}
