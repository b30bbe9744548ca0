/**
 * Puts an object into an object store, as all clients read it.
 *
 * The client's own put takes 20 ms a mebibyte, since it hashes in JavaScript. And it removes the chunks of an object that
 * it replaces, under the eyes of whoever reads them; here they stay until somebody cleans up.
 *
 * @see ADR-20 of nats-architecture-and-design
 */
import { createHash, type Hash } from 'node:crypto';
import { nuid, type JetStreamClient, type JetStreamManager } from 'nats';
import { writeHeaders } from './message-headers.ts';
import { objectStream } from './topology.ts';

const chunkBytesMax = 128 * 1024;
/** So many chunks are under way at most. */
const window = 64;
const timeoutMs = 60_000;

export interface ObjectToPut {
  /** Of the object store. */
  readonly bucket: string;
  readonly name: string;
  readonly pieces: readonly Uint8Array[];
}

/**
 * Stores pieces as one object: its chunks first, then the entry that makes it an object.
 *
 * @throws NatsError of the client; what was stored of it by then is removed if the server can
 */
export async function putObject(
  { client, manager }: { readonly client: JetStreamClient; readonly manager: JetStreamManager },
  { bucket, name, pieces }: ObjectToPut,
): Promise<void> {
  const id = nuid.next();
  const chunkSubject = `$O.${bucket}.C.${id}`;
  const hash = createHash('sha256');
  let chunks = 0;
  let size = 0;
  const open = new Set<Promise<unknown>>();
  try {
    for (const chunk of chunksOf(pieces)) {
      hash.update(chunk);
      chunks++;
      size += chunk.length;
      const stored = client.publish(chunkSubject, chunk, { timeout: timeoutMs });
      const one = stored.finally(() => open.delete(one));
      open.add(one);
      if (open.size >= window) await Promise.race(open);
    }
    await Promise.all(open);
    const entry = {
      ...{ name, bucket, nuid: id, size, chunks, deleted: false, digest: digestOf(hash) },
      options: { max_chunk_size: chunkBytesMax },
      mtime: new Date().toISOString(),
    };
    await client.publish(entrySubject(bucket, name), JSON.stringify(entry), {
      headers: writeHeaders({ 'Nats-Rollup': 'sub' }),
      timeout: timeoutMs,
    });
  } catch (error) {
    await Promise.allSettled(open);
    await manager.streams
      .purge(objectStream(bucket), { filter: chunkSubject })
      .catch(() => undefined);
    throw error;
  }
}

/** The digest of an object as its entry has it. */
export function digestOf(hash: Hash): string {
  const base64 = hash.digest('base64');
  return `SHA-256=${base64.replaceAll('+', '-').replaceAll('/', '_')}`;
}

function entrySubject(bucket: string, name: string): string {
  const base64 = Buffer.from(name).toString('base64');
  return `$O.${bucket}.M.${base64.replaceAll('+', '-').replaceAll('/', '_')}`;
}

/** Pieces cut and joined into chunks of one size, but the last. */
function* chunksOf(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  let gathered: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + chunkBytesMax - bytes);
      at += part.length;
      bytes += part.length;
      gathered.push(part);
      if (bytes < chunkBytesMax) continue;
      yield joined(gathered);
      gathered = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield joined(gathered);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
}
