/**
 * The file that a project travels in, written and read as a stream.
 *
 * It begins with the line `jugq-export 1`. Records follow: four bytes of length, big-endian, and as many bytes of CBOR,
 * an array that begins with what it is:
 *
 * | record | what |
 * | --- | --- |
 * | `["head", project, at]` | the first; `at` is ISO 8601 |
 * | `["object", store, name, size]` | a large result or arguments (`blobs`), a plan (`plans`) or a bundle (`code`) … |
 * | `["chunk", bytes]` | … and its bytes, in order, until the size is reached |
 * | `["result", id, facts, isBlob, bytes]` | a result: `bytes` is the CBOR of the value, or of a reference to a blob |
 * | `["run", id, json]` | a run's record |
 * | `["end", digest]` | the last: SHA-256 in hexadecimal of all bytes before it |
 *
 * What refers comes after what it refers to. A name that ends in `.gz` says that all of it is compressed.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, realpathSync, statSync, type Stats } from 'node:fs';
import { once } from 'node:events';
import { rename, rm } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { ResultFacts } from '../broker/result-facts.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import { pack, unpack } from '../core/wire.ts';

export type PortableStore = 'blobs' | 'plans' | 'code';

export type PortableRecord =
  | readonly ['head', project: string, at: string]
  | readonly ['object', store: PortableStore, name: string, size: number]
  | readonly ['chunk', bytes: Uint8Array]
  | readonly ['result', id: string, facts: ResultFacts | null, isBlob: boolean, bytes: Uint8Array]
  | readonly ['run', id: string, json: string]
  | readonly ['end', digest: string];

/** Most records are small, and each write to a compressor is a task of its own. */
const flushBytes = 64 * 1024;
const magic = Buffer.from('jugq-export 1\n');
const lengthBytes = 4;

/** Writes records, no faster than the file takes them. */
export interface PortableWriter {
  write(record: PortableRecord): Promise<void>;
  /** Writes the last record and closes the file, which has its name only from then on. */
  end(): Promise<void>;
  /** Leaves what stood there as it was. */
  discard(): Promise<void>;
}

/**
 * Opens a file for writing; what stands there is replaced when the file is whole.
 *
 * @param stdout - written to instead where the file is `-`
 * @throws JugqError `USAGE` where it cannot be written, then or later
 */
export async function createPortable(file: string, stdout: Writable): Promise<PortableWriter> {
  const isFile = file !== '-';
  const { path, older } = isFile ? target(file) : { path: file, older: undefined };
  // A device or a pipe cannot be replaced and takes the bytes as they come.
  const isReplaced = isFile && older?.isFile() !== false;
  const written = isReplaced ? `${path}.${randomBytes(4).toString('hex')}.new` : path;
  // Who must not read the older file must not read this one, and the name must not reach the disk before the bytes.
  const options = { mode: (older?.mode ?? 0o666) & 0o777, flush: isReplaced };
  const sink: Writable = isFile ? createWriteStream(written, options) : stdout;
  if (isFile) await once(sink, 'open').catch(refuse(file, 'written'));
  const gzip = file.endsWith('.gz') ? createGzip() : undefined;
  gzip?.pipe(sink);
  const stream: Writable = gzip ?? sink;
  const failed = new Promise<never>((_, reject) => {
    sink.once('error', reject);
  }).catch(refuse(file, 'written'));
  failed.catch(() => undefined);
  const hash = createHash('sha256');
  let gathered: Uint8Array[] = [];
  let gatheredBytes = 0;
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(gathered);
    gathered = [];
    gatheredBytes = 0;
    if (!stream.write(bytes)) await Promise.race([once(stream, 'drain'), failed]);
  };
  const push = async (bytes: Uint8Array): Promise<void> => {
    hash.update(bytes);
    gathered.push(bytes);
    gatheredBytes += bytes.length;
    if (gatheredBytes >= flushBytes) await flush();
  };
  const write = async (record: PortableRecord): Promise<void> => {
    const body = pack(record);
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32BE(body.length);
    await push(length);
    await push(body);
  };
  await push(magic);
  return {
    write,
    async end() {
      await write(['end', hash.copy().digest('hex')]);
      await flush();
      if (!isFile) return;
      stream.end();
      await Promise.race([finished(sink), failed]);
      if (isReplaced) await rename(written, path).catch(refuse(file, 'written'));
    },
    async discard() {
      if (!isReplaced) return;
      // What was on its way into the file fails now, which nobody has to be told.
      const closed = new Promise((resolve) => sink.once('close', resolve));
      gzip?.destroy();
      sink.destroy();
      if (!sink.closed) await closed;
      await rm(written, { force: true });
    },
  };
}

/** What a name leads to, so that a link stays one. */
function target(file: string): { readonly path: string; readonly older: Stats | undefined } {
  try {
    const older = statSync(file, { throwIfNoEntry: false });
    return { path: older === undefined ? file : realpathSync(file), older };
  } catch (cause) {
    return refuse(file, 'written')(cause);
  }
}

/**
 * Reads the records of a file in their order; the last is not handed over, but checked.
 *
 * @param stdin - read instead where the file is `-`
 * @throws JugqError `USAGE` if it cannot be read or was not exported, `VALUE_CORRUPT` if it ends early or was damaged
 */
export async function* readPortable(
  file: string,
  stdin: Readable,
): AsyncGenerator<PortableRecord, void, undefined> {
  const source = file === '-' ? stdin : createReadStream(file);
  const bytes = new ByteReader(file, file.endsWith('.gz') ? unzipped(source) : source);
  const first = await bytes.take(magic.length).catch((error: unknown) => {
    throw isJugqError(error, 'VALUE_CORRUPT') ? notOurs(file) : error;
  });
  if (first === undefined || !magic.equals(first)) throw notOurs(file);
  const hash = createHash('sha256').update(first);
  for (;;) {
    const head = await bytes.take(lengthBytes);
    const body = head && (await bytes.take(head.readUInt32BE()));
    if (head === undefined || body === undefined) throw damaged(file, 'it ends early');
    const record = unpack(body, file) as PortableRecord;
    if (record[0] === 'end') {
      if (record[1] !== hash.digest('hex')) throw damaged(file, 'its checksum is another');
      return;
    }
    hash.update(head).update(body);
    yield record;
  }
}

function unzipped(source: Readable): Readable {
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  return source.pipe(gunzip);
}

/** Hands out as many bytes as are asked for, however the stream cuts them. */
class ByteReader {
  readonly #file: string;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array();

  constructor(file: string, stream: Readable) {
    this.#file = file;
    this.#chunks = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  }

  /** Undefined: the stream ends before that. */
  async take(count: number): Promise<Buffer | undefined> {
    const parts: Uint8Array[] = [];
    let missing = count;
    for (;;) {
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
      if (missing === 0) return Buffer.concat(parts, count);
      const next = await this.#chunks.next().catch(refuse(this.#file, 'read'));
      if (next.done === true) return undefined;
      this.#rest = next.value;
    }
  }
}

function refuse(file: string, what: 'read' | 'written'): (cause: unknown) => never {
  return (cause) => {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    // What the decompression says of damage has codes of its own.
    if (code.startsWith('Z_')) throw damaged(file, 'it cannot be decompressed');
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new JugqError('USAGE', `${file} cannot be ${what}: ${why}: name another file`, { cause });
  };
}

function notOurs(file: string): JugqError {
  const message = `${file} is no file of jugq export that this version reads: export it again with the same version`;
  return new JugqError('USAGE', message);
}

function damaged(file: string, how: string): JugqError {
  const message = `${file} is damaged: ${how}: what came before it was imported and can be again: fetch the file anew`;
  return new JugqError('VALUE_CORRUPT', message);
}
