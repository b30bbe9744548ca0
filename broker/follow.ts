/**
 * Follows a stream in order and without gaps, from a sequence on, for as long as the process lives.
 *
 * A push consumer without acknowledgements, made again from the last message seen whenever a message is missing, the
 * heartbeat stops or the connection was lost. A stream that was deleted and made again would leave such a consumer
 * deaf: each time the consumer is made, the stream's creation time and last sequence are compared with what was
 * seen, and a stream that is not the same one any more is reported.
 */
import {
  AckPolicy,
  createInbox,
  DeliverPolicy,
  NatsError,
  nanos,
  ReplayPolicy,
  type ConsumerConfig,
  type JetStreamManager,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Subscription,
} from 'nats';
import { onReconnect } from './reconnects.ts';

/** A message of a followed stream. */
export interface Followed {
  readonly subject: string;
  readonly sequence: number;
  readonly headers: MsgHdrs | undefined;
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
  /** The stream was deleted, or came back with less than was seen: nothing that was read from it holds any more. */
  readonly onReplaced?: () => void;
}

export interface Following {
  /** Resolves when everything that was in the stream at the start has been handed over. */
  readonly caughtUp: Promise<void>;
  /** Last sequence that was handed over. */
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
  #subscription: Subscription | undefined;
  #consumer = '';
  #created: string | undefined;
  #delivered = 0;
  #heardAt = Date.now();
  #generation = 0;
  #stopped = false;

  constructor(connection: NatsConnection, manager: JetStreamManager, options: FollowOptions) {
    this.#connection = connection;
    this.#manager = manager;
    this.#options = options;
    this.sequence = options.from - 1;
    this.caughtUp = new Promise((resolve) => {
      this.#catchUp = resolve;
    });
    this.#offReconnect = onReconnect(connection, () => {
      this.#restart();
    });
    this.#watchdog = setInterval(() => {
      if (Date.now() - this.#heardAt > silentAfterMs) this.#restart();
    }, heartbeatMs).unref();
    this.#restart();
  }

  stop(): void {
    this.#stopped = true;
    this.#generation++;
    this.#offReconnect();
    clearInterval(this.#watchdog);
    this.#subscription?.unsubscribe();
    if (!this.#connection.isClosed() && this.#consumer !== '') {
      // A consumer that nobody listens to ends by itself; telling the server saves it the wait.
      void this.#manager.consumers
        .delete(this.#options.stream, this.#consumer)
        .catch(() => undefined);
    }
  }

  #restart(): void {
    this.#heardAt = Date.now();
    const generation = ++this.#generation;
    void this.#open(generation).catch(() => {
      if (generation !== this.#generation || this.#connection.isClosed()) return;
      setTimeout(() => {
        if (generation === this.#generation) this.#restart();
      }, retryMs).unref();
    });
  }

  async #open(generation: number): Promise<void> {
    this.#subscription?.unsubscribe();
    if (!(await this.#sameStream()) || generation !== this.#generation) return;
    const inbox = createInbox();
    this.#delivered = 0;
    this.#subscription = this.#connection.subscribe(inbox, {
      callback: (_error, message) => {
        if (generation === this.#generation) this.#take(message);
      },
    });
    const consumer = await this.#manager.consumers.add(
      this.#options.stream,
      this.#configuration(inbox),
    );
    if (this.#stopped) return;
    this.#consumer = consumer.name;
    if (consumer.num_pending === 0 && this.#delivered === 0) this.#catchUp();
  }

  /** False: the stream is gone or another one; whoever follows has been told and the watchdog looks again. */
  async #sameStream(): Promise<boolean> {
    const found = await this.#manager.streams.info(this.#options.stream).catch((error: unknown) => {
      if (error instanceof NatsError && error.api_error?.err_code === streamNotFound)
        return undefined;
      throw error;
    });
    const same =
      found !== undefined &&
      (this.#created === undefined || this.#created === found.created) &&
      found.state.last_seq >= this.sequence;
    if (same) {
      this.#created = found.created;
      return true;
    }
    this.#options.onReplaced?.();
    return false;
  }

  #configuration(inbox: string): Partial<ConsumerConfig> {
    const { subjects, headersOnly } = this.#options;
    return {
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
    this.#heardAt = Date.now();
    if (message.reply === undefined || !message.reply.startsWith(ackPrefix)) {
      this.#takeStatus(message);
      return;
    }
    const place = readPlace(message.reply);
    if (place.delivered !== this.#delivered + 1) {
      this.#restart();
      return;
    }
    this.#delivered = place.delivered;
    this.sequence = place.sequence;
    this.#options.onMessage({
      subject: message.subject,
      sequence: place.sequence,
      headers: message.headers,
      data: message.data,
    });
    if (place.pending === 0) this.#catchUp();
  }

  /** Idle heartbeats and requests of the flow control: the latter want an answer. */
  #takeStatus(message: Msg): void {
    const { headers, reply } = message;
    const stalled = headers?.get('Nats-Consumer-Stalled') ?? '';
    const answer = reply !== undefined && reply !== '' ? reply : stalled;
    if (answer !== '') this.#connection.publish(answer);
    const last = headers?.get('Nats-Last-Consumer') ?? '';
    if (last !== '' && Number(last) > this.#delivered) this.#restart();
  }
}

const streamNotFound = 10059;
const ackPrefix = '$JS.ACK.';

/**
 * Reads what JetStream says in the reply subject of a delivery.
 *
 * @see ADR-15 of nats-architecture-and-design: 9 tokens, or 11 and more with domain and account.
 */
function readPlace(reply: string): { sequence: number; delivered: number; pending: number } {
  const tokens = reply.split('.');
  const at = tokens.length > 9 ? 7 : 5;
  return {
    sequence: Number(tokens[at]),
    delivered: Number(tokens[at + 1]),
    pending: Number(tokens[at + 3]),
  };
}
