/** The work queue, as the dispatcher uses it: publish, look at what is there, take a message back. */
import { NatsError, type JetStreamManager, type NatsConnection } from 'nats';
import { isJugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import { decodeParcel, type Parcel } from '../core/parcel.ts';
import { writeHeaders } from './message-headers.ts';
import { clientCode, isNotFound, isSubjectOccupied } from './nats-errors.ts';
import { patiently } from './patience.ts';
import type { Publisher, PublishOutcome } from './publisher.ts';
import { replicasOf, streamInfo } from './stream-state.ts';
import { taskSubject, type Names } from './topology.ts';

/** A message that is in the queue, delivered or not. */
export interface QueuedMessage {
  readonly head: TaskId;
  readonly queue: string;
}

interface Found {
  readonly data: Uint8Array;
  readonly sequence: number;
}

/** What became of a parcel: it is in the queue; one of its subject already was; the server has no room. */
export type QueueOutcome = 'accepted' | 'occupied' | 'full';

/** A message whose subject is taken is refused by its own code only with this header; otherwise it looks like a full stream. */
const expectNone = writeHeaders({ 'Nats-Expected-Last-Subject-Sequence': '0' });
const getTimeoutMs = 5000;
/** Status codes of a direct get: the message is not there; and whatever else is no answer to the question. */
const missing = 404;
const unanswered = 408;

export class Queue {
  readonly #names: Names;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #publisher: Publisher;
  readonly #replicas: () => Promise<number>;

  constructor(
    names: Names,
    parts: { connection: NatsConnection; manager: JetStreamManager; publisher: Publisher },
  ) {
    this.#names = names;
    this.#connection = parts.connection;
    this.#manager = parts.manager;
    this.#publisher = parts.publisher;
    this.#replicas = replicasOf(parts.manager, names.tasks);
  }

  /** Publishes a parcel unless its subject is taken. */
  publish(
    message: QueuedMessage & { readonly payload: Uint8Array },
    settle: (outcome: QueueOutcome, why: PublishOutcome) => void,
  ): void {
    this.#publisher.send(
      {
        subject: taskSubject(this.#names, message.queue, message.head),
        payload: message.payload,
        headers: expectNone,
      },
      (outcome) => {
        settle(judge(outcome), outcome);
      },
    );
  }

  /** Heads of all messages in the queue, delivered or not. */
  async list(): Promise<QueuedMessage[]> {
    const { state } = await patiently(this.#connection, 'reading the queue', () =>
      streamInfo(this.#manager, this.#names.tasks, { subjects_filter: '>' }),
    );
    return Object.keys(state.subjects ?? {}).map((subject) => {
      const [, , , queue = '', ...head] = subject.split('.');
      return { queue, head: head.join('.') as TaskId };
    });
  }

  /** The parcel of a queued message; undefined if it is not there any more. */
  async read(message: QueuedMessage): Promise<{ parcel: Parcel; sequence: number } | undefined> {
    const found = await this.#find(message);
    return found && { parcel: decodeParcel(found.data), sequence: found.sequence };
  }

  /** A replica that is behind may not have the message yet, or have the one before it. */
  async #find(message: QueuedMessage): Promise<Found | undefined> {
    const subject = taskSubject(this.#names, message.queue, message.head);
    return patiently(this.#connection, `reading the queued ${message.head}`, async () => {
      if ((await this.#replicas()) > 1) return this.#findAtLeader(subject);
      const answer = await this.#connection.request(
        `$JS.API.DIRECT.GET.${this.#names.tasks}.${subject}`,
        '',
        { timeout: getTimeoutMs },
      );
      const code = answer.headers?.code ?? 0;
      // Neither the message nor that it is not there: asked for again.
      if (code >= unanswered) throw new NatsError('no answer', clientCode.NoResponders);
      if (code === missing) return undefined;
      return { data: answer.data, sequence: Number(answer.headers?.get('Nats-Sequence')) };
    });
  }

  async #findAtLeader(subject: string): Promise<Found | undefined> {
    try {
      const { data, seq } = await this.#manager.streams.getMessage(this.#names.tasks, {
        last_by_subj: subject,
      });
      return { data, sequence: seq };
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Removes a message, whatever it holds; a worker that has it may still finish its tasks. */
  async withdraw(message: QueuedMessage): Promise<void> {
    const found = await this.#find(message);
    if (found === undefined) return;
    const { tasks } = this.#names;
    try {
      await patiently(this.#connection, `taking ${message.head} out of the queue`, () =>
        this.#manager.streams.deleteMessage(tasks, found.sequence, false),
      );
    } catch (error) {
      if (!isJugqError(error) || !isNotFound(error.cause)) throw error;
    }
  }
}

/** What is neither stored nor taken is tried again after a pause, whatever the server's reason. */
function judge(outcome: PublishOutcome): QueueOutcome {
  if (outcome.kind === 'stored') return 'accepted';
  return isSubjectOccupied(outcome.code) ? 'occupied' : 'full';
}
