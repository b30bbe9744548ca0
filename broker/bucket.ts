/** A key-value bucket of small records: read with revisions, written by compare-and-set, followed. */
import type { JetStreamManager, NatsConnection } from 'nats';
import { isJugqError } from '../core/errors.ts';
import { follow, type FollowOptions, type Following } from './follow.ts';
import { writeHeaders, type HeaderReader } from './message-headers.ts';
import { isNotFound, isWrongRevision, toJugqError } from './nats-errors.ts';
import { patiently } from './patience.ts';
import type { Publisher, PublishOutcome } from './publisher.ts';
import { streamInfo } from './stream-state.ts';
import { bucketStream, keySubject } from './topology.ts';

/** The last entry of a key. */
export interface Entry {
  readonly key: string;
  /** Sequence in the bucket's stream. */
  readonly revision: number;
  /** When it was written, epoch ms of the server's clock. */
  readonly writtenAt: number;
  /** Undefined: a delete marker. */
  readonly value: Uint8Array | undefined;
}

const operationHeader = 'KV-Operation';
const expectHeader = 'Nats-Expected-Last-Subject-Sequence';

export class Bucket {
  readonly name: string;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #publisher: Publisher;

  constructor(
    name: string,
    parts: { connection: NatsConnection; manager: JetStreamManager; publisher: Publisher },
  ) {
    this.name = name;
    this.#connection = parts.connection;
    this.#manager = parts.manager;
    this.#publisher = parts.publisher;
  }

  /** The last entry of a key; undefined if it never had one. Asked of the stream's leader: never stale. */
  async get(key: string): Promise<Entry | undefined> {
    try {
      const message = await patiently(this.#connection, `reading ${key} of ${this.name}`, () =>
        this.#manager.streams.getMessage(bucketStream(this.name), {
          last_by_subj: keySubject(this.name, key),
        }),
      );
      return {
        key,
        revision: message.seq,
        writtenAt: message.time.getTime(),
        value: isMarker(message.header) ? undefined : message.data,
      };
    } catch (error) {
      if (isJugqError(error) && isNotFound(error.cause)) return undefined;
      throw error;
    }
  }

  /**
   * Writes a value if the last revision of the key is the expected one.
   *
   * @param expected - 0: the key has no entry, not even a marker; undefined: whatever is there
   * @returns the new revision; undefined if another one was there
   * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
   */
  async put(key: string, value: Uint8Array, expected?: number): Promise<number | undefined> {
    const outcome = await this.#publisher.publish({
      subject: keySubject(this.name, key),
      payload: value,
      ...(expected === undefined ? {} : { headers: writeHeaders(expecting(expected)) }),
    });
    return this.#settle(key, outcome);
  }

  /** Leaves a delete marker; otherwise as `put`. */
  async delete(key: string, expected?: number): Promise<number | undefined> {
    const condition = expected === undefined ? {} : expecting(expected);
    const outcome = await this.#publisher.publish({
      subject: keySubject(this.name, key),
      payload: empty,
      headers: writeHeaders({ ...condition, [operationHeader]: 'DEL' }),
    });
    return this.#settle(key, outcome);
  }

  /**
   * The last entries of all keys, markers left out, in the order of their revisions.
   *
   * @param keys - only those that match, with the wildcards of a subject; default all
   */
  async list(keys?: string): Promise<Entry[]> {
    const entries = new Map<string, Entry>();
    const following = this.#follow(
      { from: 1, ...(keys === undefined ? {} : { subjects: [keySubject(this.name, keys)] }) },
      (entry) => {
        // Taken out first, so that a key that is written meanwhile moves to the end.
        entries.delete(entry.key);
        entries.set(entry.key, entry);
      },
      () => {
        entries.clear();
      },
    );
    await following.caughtUp;
    following.stop();
    return [...entries.values()].filter((each) => each.value !== undefined);
  }

  /** Revision of the last entry of all, by the word of the stream's leader: the same one says that nothing was written. */
  async lastRevision(): Promise<number> {
    const { state } = await patiently(this.#connection, `reading ${this.name}`, () =>
      streamInfo(this.#manager, bucketStream(this.name)),
    );
    return state.last_seq;
  }

  /** Hands over every entry from a revision on, and each new one. */
  follow(from: number, onEntry: (entry: Entry) => void, onReplaced?: () => void): Following {
    return this.#follow({ from }, onEntry, onReplaced);
  }

  #follow(
    which: Pick<FollowOptions, 'from' | 'subjects'>,
    onEntry: (entry: Entry) => void,
    onReplaced?: () => void,
  ): Following {
    const prefix = keySubject(this.name, '');
    return follow(this.#connection, this.#manager, {
      ...which,
      stream: bucketStream(this.name),
      onMessage: (message) => {
        onEntry({
          key: message.subject.slice(prefix.length),
          revision: message.sequence,
          writtenAt: message.storedAt,
          value: isMarker(message.headers) ? undefined : message.data,
        });
      },
      ...(onReplaced === undefined ? {} : { onReplaced }),
    });
  }

  #settle(key: string, outcome: PublishOutcome): number | undefined {
    if (outcome.kind === 'stored') return outcome.sequence;
    if (isWrongRevision(outcome.code)) return undefined;
    throw toJugqError(outcome, `writing ${key} to ${this.name}`);
  }
}

const empty = new Uint8Array();

function expecting(revision: number): Record<string, string> {
  return { [expectHeader]: revision.toString() };
}

/** Whether the headers are those of a delete or purge marker. */
export function isMarker(all: HeaderReader | undefined): boolean {
  return all !== undefined && all.get(operationHeader) !== '';
}
