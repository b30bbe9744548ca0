/**
 * Bytes too large for one message, in an object store.
 *
 * Names are never written twice with different content: a put that was interrupted or raced leaves chunks behind.
 * Chunks are read by following their subject, which knows when it has come to the end: so an object whose chunks are
 * gone is found out at once, a server that is away is waited for, and neither is mistaken for the other.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  nanos,
  StorageType,
  type JetStreamManager,
  type NatsConnection,
  type ObjectInfo,
  type ObjectStore,
} from 'nats';
import { JugqError } from '../core/errors.ts';
import { follow } from './follow.ts';
import { toJugqError } from './nats-errors.ts';
import { patiently } from './patience.ts';
import { objectStream } from './topology.ts';

/** Where the next piece of an object lies; still the same object if another is stored under its name meanwhile. */
export interface PiecePlace {
  readonly name: string;
  readonly nuid: string;
  readonly chunks: number;
  /** Its chunk is behind this message of the stream. */
  readonly after: number;
  /** Bytes from here to the end. */
  readonly left: number;
}

/** Some bytes of an object, and where those behind them are; undefined: there are none. */
export interface Piece {
  readonly bytes: Uint8Array;
  readonly next: PiecePlace | undefined;
}

const putTimeoutMs = 60_000;
const pieceTimeoutMs = 5000;
const retryMs = 500;

export class Blobs {
  readonly #name: string;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  #store: Promise<ObjectStore> | undefined;

  /** @param name - of the object store, which exists */
  constructor(name: string, parts: { connection: NatsConnection; manager: JetStreamManager }) {
    this.#name = name;
    this.#connection = parts.connection;
    this.#manager = parts.manager;
  }

  /**
   * Stores pieces under a name.
   *
   * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`, `SERVER_UNREACHABLE`
   */
  async put(name: string, pieces: readonly Uint8Array[]): Promise<void> {
    try {
      const store = await this.#opened();
      await store.put({ name }, streamOf(pieces), { timeout: putTimeoutMs });
    } catch (error) {
      throw toJugqError(error, `storing ${name} in ${this.#name}`);
    }
  }

  /** Whether something is stored under the name. */
  async has(name: string): Promise<boolean> {
    return (await this.#find(name)) !== undefined;
  }

  /** Digest of what is stored under the name; undefined if there is nothing. */
  async digest(name: string): Promise<string | undefined> {
    return (await this.#find(name))?.digest;
  }

  /**
   * Reads a whole object; undefined if there is none of that name. Waits while the server is away.
   *
   * @throws JugqError `VALUE_CORRUPT` if its chunks are gone or are not what was stored
   */
  async get(name: string): Promise<Uint8Array | undefined> {
    for (;;) {
      const found = await this.#find(name);
      if (found === undefined) return undefined;
      const bytes = await this.#read(found);
      if (bytes !== undefined) return bytes;
      // A replica may be late: only the leader's word counts for what is not there.
      if ((await this.#chunksOf(found)) !== found.chunks) throw this.#corrupt(name, 'missing');
      await delay(retryMs);
    }
  }

  /** Where the first piece of an object lies; undefined if there is none of that name. */
  async firstPiece(name: string): Promise<PiecePlace | undefined> {
    const found = await this.#find(name);
    if (found === undefined) return undefined;
    const { nuid, chunks, size: left } = found;
    return { name, nuid, chunks, after: 0, left };
  }

  /**
   * Reads one piece of an object. Waits while the server is away.
   *
   * @throws JugqError `VALUE_CORRUPT` if its chunks are gone
   */
  async piece(place: PiecePlace): Promise<Piece> {
    const { name, left } = place;
    for (;;) {
      const found = await this.#patiently(`reading ${name} of`, () => this.#chunkBehind(place));
      if (found !== undefined) {
        const { bytes, after } = found;
        if (bytes.length > left) throw this.#corrupt(name, 'changed');
        const rest = left - bytes.length;
        return { bytes, next: rest === 0 ? undefined : { ...place, after, left: rest } };
      }
      // A replica may be late: see `get`.
      if ((await this.#chunksOf(place)) !== place.chunks) throw this.#corrupt(name, 'missing');
      await delay(retryMs);
    }
  }

  /** Removes an object; nothing happens if there is none. */
  async delete(name: string): Promise<void> {
    try {
      await (await this.#opened()).delete(name);
    } catch (error) {
      throw toJugqError(error, `removing ${name} from ${this.#name}`);
    }
  }

  #opened(): Promise<ObjectStore> {
    if (this.#store === undefined) {
      const client = this.#connection.jetstream();
      const opening = client.views.os(this.#name, { storage: StorageType.File, ttl: nanos(0) });
      this.#store = opening;
      opening.catch(() => {
        this.#store = undefined;
      });
    }
    return this.#store;
  }

  async #find(name: string): Promise<ObjectInfo | undefined> {
    const found = await this.#patiently(`looking for ${name} in`, async () =>
      (await this.#opened()).info(name),
    );
    return found === null || found.deleted ? undefined : found;
  }

  /** Undefined: fewer chunks came than there should be. */
  async #read(found: ObjectInfo): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(found.size);
    let length = 0;
    const following = follow(this.#connection, this.#manager, {
      stream: objectStream(this.#name),
      from: 1,
      subjects: [this.#chunkSubject(found)],
      onMessage: ({ data }) => {
        // What goes beyond the size makes the length wrong, which is all that matters then.
        if (length + data.length <= bytes.length) bytes.set(data, length);
        length += data.length;
      },
      onReplaced: () => {
        length = 0;
      },
    });
    try {
      await following.caughtUp;
    } finally {
      following.stop();
    }
    if (length < bytes.length) return undefined;
    const same = length === bytes.length && digestOf(bytes) === found.digest;
    if (!same) throw this.#corrupt(found.name, 'changed');
    return bytes;
  }

  /** Undefined: whoever answered has none, or cannot answer now. */
  async #chunkBehind(place: PiecePlace): Promise<{ bytes: Uint8Array; after: number } | undefined> {
    const query = { seq: place.after + 1, next_by_subj: this.#chunkSubject(place) };
    const subject = `$JS.API.DIRECT.GET.${objectStream(this.#name)}`;
    const { headers, data } = await this.#connection.request(subject, JSON.stringify(query), {
      timeout: pieceTimeoutMs,
    });
    if (headers === undefined || headers.code !== 0) return undefined;
    return { bytes: data, after: Number(headers.get('Nats-Sequence')) };
  }

  async #chunksOf(found: Pick<ObjectInfo, 'name' | 'nuid'>): Promise<number> {
    const subject = this.#chunkSubject(found);
    const { state } = await this.#patiently(`counting the chunks of ${found.name} in`, () =>
      this.#manager.streams.info(objectStream(this.#name), { subjects_filter: subject }),
    );
    return state.subjects?.[subject] ?? 0;
  }

  #patiently<T>(doing: string, ask: () => Promise<T>): Promise<T> {
    return patiently(this.#connection, `${doing} ${this.#name}`, ask, Infinity);
  }

  #chunkSubject({ nuid }: { readonly nuid: string }): string {
    return `$O.${this.#name}.C.${nuid}`;
  }

  #corrupt(name: string, how: string): JugqError {
    return new JugqError(
      'VALUE_CORRUPT',
      `${name} of ${this.#name} cannot be read whole: its chunks are ${how}: plan again to compute it anew`,
    );
  }
}

/** As the object stores of all clients write it. */
function digestOf(bytes: Uint8Array): string {
  const base64 = createHash('sha256').update(bytes).digest('base64');
  return `SHA-256=${base64.replaceAll('+', '-').replaceAll('/', '_')}`;
}

function streamOf(pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const rest = pieces.filter((each) => each.length > 0).values();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
  });
}
