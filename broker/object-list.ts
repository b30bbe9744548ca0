/** What an object store holds: its entries, and chunks that belong to none. */
import type { JetStreamManager, NatsConnection } from 'nats';
import { follow } from './follow.ts';
import { isNotFound, toJugqError } from './nats-errors.ts';
import { streamInfo } from './stream-state.ts';
import { objectStream } from './topology.ts';

/** An entry of an object store. */
export interface StoredObject {
  readonly name: string;
  /** What its chunks are stored under. */
  readonly nuid: string;
  readonly bytes: number;
  /** When it was stored, epoch ms of the server's clock. */
  readonly storedAt: number;
}

/** Chunks without an entry: of a put that was interrupted, lost a race, or goes on. */
export interface LooseChunks {
  readonly nuid: string;
  /** At most. */
  readonly bytes: number;
  /** When the last of them was stored, epoch ms of the server's clock. */
  readonly storedAt: number;
}

interface Parts {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
}

/** What clients write by default; all chunks of an object but the last have it. */
const chunkBytes = 128 * 1024;

/** All objects of a store. */
export async function listObjects(parts: Parts, store: string): Promise<StoredObject[]> {
  const objects = new Map<string, StoredObject>();
  const following = follow(parts.connection, parts.manager, {
    stream: objectStream(store),
    from: 1,
    subjects: [`$O.${store}.M.>`],
    onMessage: ({ subject, data, storedAt }) => {
      const entry = JSON.parse(new TextDecoder().decode(data)) as ObjectEntry;
      const { name, nuid, size: bytes, deleted } = entry;
      if (deleted === true) objects.delete(subject);
      else objects.set(subject, { name, nuid, bytes, storedAt });
    },
    onReplaced: () => {
      objects.clear();
    },
  });
  await following.caughtUp;
  following.stop();
  return [...objects.values()];
}

interface ObjectEntry {
  readonly name: string;
  readonly nuid: string;
  readonly size: number;
  readonly deleted?: boolean;
}

/** Chunks of a store that belong to none of its entries. */
export async function findLooseChunks(parts: Parts, store: string): Promise<LooseChunks[]> {
  const stream = objectStream(store);
  const prefix = chunkSubject(store, '');
  try {
    const { state } = await streamInfo(parts.manager, stream, { subjects_filter: `${prefix}>` });
    const chunks = Object.entries(state.subjects ?? {});
    // Asked in this order, an entry that is written meanwhile is seen.
    const known = new Set((await listObjects(parts, store)).map((each) => each.nuid));
    const loose: LooseChunks[] = [];
    for (const [subject, count] of chunks) {
      const nuid = subject.slice(prefix.length);
      if (known.has(nuid)) continue;
      const last = await parts.manager.streams
        .getMessage(stream, { last_by_subj: subject })
        .catch((error: unknown) => {
          if (isNotFound(error)) return undefined;
          throw error;
        });
      if (last === undefined) continue;
      loose.push({ nuid, bytes: count * chunkBytes, storedAt: last.time.getTime() });
    }
    return loose;
  } catch (error) {
    throw toJugqError(error, `looking for chunks without an entry in ${store}`);
  }
}

/**
 * Removes chunks that belong to no entry.
 *
 * Safe because nobody reads what no entry names; a purge by subject is what clients themselves remove objects by.
 */
export async function removeChunks(parts: Parts, store: string, nuid: string): Promise<void> {
  try {
    await parts.manager.streams.purge(objectStream(store), { filter: chunkSubject(store, nuid) });
  } catch (error) {
    throw toJugqError(error, `removing chunks from ${store}`);
  }
}

/** Bytes of all messages of a stream as they lie on the server. */
export async function streamBytes(parts: Parts, stream: string): Promise<number> {
  try {
    return (await parts.manager.streams.info(stream)).state.bytes;
  } catch (error) {
    throw toJugqError(error, `reading the size of ${stream}`);
  }
}

function chunkSubject(store: string, nuid: string): string {
  return `$O.${store}.C.${nuid}`;
}
