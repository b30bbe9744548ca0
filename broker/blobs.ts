/**
 * Bytes too large for one message, in an object store.
 *
 * Names are never written twice with different content: a put that was interrupted or raced leaves chunks behind, and
 * a read of an object whose chunks are gone would wait for ever; so reads have a watchdog, and the client checks the
 * digest of what it read.
 */
import { nanos, StorageType, type JetStreamClient, type ObjectStore } from 'nats';
import { JugqError } from '../core/errors.ts';
import { toJugqError } from './nats-errors.ts';

/** A read that brings nothing for this long has lost its chunks or its server. */
const silentReadMs = 20_000;

export class Blobs {
  readonly #store: Promise<ObjectStore>;
  readonly #name: string;

  /** @param name - of the object store, which exists */
  constructor(client: JetStreamClient, name: string) {
    this.#name = name;
    this.#store = client.views.os(name, { storage: StorageType.File, ttl: nanos(0) });
    // Whoever reads or writes sees the failure; until then nobody waits for it.
    this.#store.catch(() => undefined);
  }

  /**
   * Stores pieces under a name.
   *
   * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
   */
  async put(name: string, pieces: readonly Uint8Array[]): Promise<void> {
    try {
      const store = await this.#store;
      await store.put({ name }, streamOf(pieces), { timeout: 60_000 });
    } catch (error) {
      throw toJugqError(error, `storing ${name} in ${this.#name}`);
    }
  }

  /** Whether something is stored under the name. */
  async has(name: string): Promise<boolean> {
    try {
      const found = await (await this.#store).info(name);
      return found !== null && !found.deleted;
    } catch (error) {
      throw toJugqError(error, `looking for ${name} in ${this.#name}`);
    }
  }

  /**
   * Reads a whole object; undefined if there is none of that name.
   *
   * @throws JugqError `VALUE_CORRUPT` if its chunks are gone or are not what was stored
   */
  async get(name: string): Promise<Uint8Array | undefined> {
    const found = await this.#open(name);
    if (found === null) return undefined;
    const bytes = new Uint8Array(found.info.size);
    const reader = found.data.getReader();
    try {
      let at = 0;
      for (;;) {
        const { done, value } = await withinSilence(reader.read(), name);
        if (done) break;
        bytes.set(value, at);
        at += value.length;
      }
      const problem = await withinSilence(found.error, name);
      if (problem instanceof Error) throw problem;
      return bytes;
    } catch (cause) {
      // The stream is abandoned either way; what `cancel` says about that changes nothing.
      reader.cancel().catch(() => undefined);
      throw new JugqError(
        'VALUE_CORRUPT',
        `${name} of ${this.#name} cannot be read whole: its chunks are missing or changed: plan again to compute it anew`,
        { cause },
      );
    }
  }

  /** Removes an object; nothing happens if there is none. */
  async delete(name: string): Promise<void> {
    try {
      await (await this.#store).delete(name);
    } catch (error) {
      throw toJugqError(error, `removing ${name} from ${this.#name}`);
    }
  }

  async #open(name: string): ReturnType<ObjectStore['get']> {
    try {
      return await (await this.#store).get(name);
    } catch (error) {
      throw toJugqError(error, `reading ${name} of ${this.#name}`);
    }
  }
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

function withinSilence<T>(waiting: Promise<T>, name: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`${name}: nothing came for ${(silentReadMs / 1000).toString()} s`));
    }, silentReadMs);
    waiting.then(resolve, reject).finally(() => {
      clearTimeout(timer);
    });
  });
}
