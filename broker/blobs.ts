/**
 * Bytes too large for one message, in an object store.
 *
 * Names are never written twice with different content: a put that was interrupted or raced leaves chunks behind.
 * A chunk that is not there is asked for again unless the stream's leader says that it is gone: so an object whose chunks
 * are gone is found out at once, a server that is away is waited for, and neither is mistaken for the other.
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
import { toJugqError } from './nats-errors.ts';
import { digestOf, putObject } from './object-put.ts';
import { patiently } from './patience.ts';
import { streamInfo } from './stream-state.ts';
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

const pieceTimeoutMs = 5000;
const readsAtOnce = 16;
const retryMs = 500;

export class Blobs {
  readonly #name: string;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  #store: Promise<ObjectStore> | undefined;
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

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
      const client = this.#connection.jetstream();
      await putObject({ client, manager: this.#manager }, { bucket: this.#name, name, pieces });
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
   * Chunk by chunk: a consumer for all of them would cost the server several times as much, the more the larger the store.
   *
   * @throws JugqError `VALUE_CORRUPT` if its chunks are gone or are not what was stored
   */
  async get(name: string): Promise<Uint8Array | undefined> {
    return this.#inTurn(async () => {
      const found = await this.#find(name);
      return found && this.#read(found);
    });
  }

  /** Where the first piece of an object lies; undefined if there is none of that name, or it is empty. */
  async firstPiece(name: string): Promise<PiecePlace | undefined> {
    const found = await this.#find(name);
    return found && placeIn(found);
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
      // A replica may be late: only the leader's word counts for what is not there.
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

  /** Few at once: of hundreds, the server leaves questions without an answer. */
  async #inTurn<T>(read: () => Promise<T>): Promise<T> {
    while (this.#reading >= readsAtOnce) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#reading++;
    try {
      return await read();
    } finally {
      this.#reading--;
      this.#waiting.shift()?.();
    }
  }

  async #read(found: ObjectInfo): Promise<Uint8Array> {
    const bytes = new Uint8Array(found.size);
    let place = placeIn(found);
    while (place !== undefined) {
      const piece: Piece = await this.piece(place);
      bytes.set(piece.bytes, bytes.length - place.left);
      place = piece.next;
    }
    const isSame = digestOf(createHash('sha256').update(bytes)) === found.digest;
    if (!isSame) throw this.#corrupt(found.name, 'changed');
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
      streamInfo(this.#manager, objectStream(this.#name), { subjects_filter: subject }),
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
      `${name} of ${this.#name} cannot be read whole: its chunks are ${how}: plan again to make it anew`,
    );
  }
}

/** Where the first piece of an object lies; undefined if it is empty. */
function placeIn({ name, nuid, chunks, size: left }: ObjectInfo): PiecePlace | undefined {
  return left === 0 ? undefined : { name, nuid, chunks, after: 0, left };
}
