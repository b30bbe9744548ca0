/** What a task gets for `lazy(x)`: a way to a value that is read when it is wanted, whole or piece by piece. */
import { createHash } from 'node:crypto';
import { decodeValue, encodeValue } from '../core/codec.ts';
import { contentPlace } from '../core/content-bytes.ts';
import { JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import { resolveReference, type LazyReference, type References } from '../core/references.ts';
import type { Lazy } from '../core/wrapped.ts';
import type { ReadPiece, ResultPiece, ResultReader } from './thread-link.ts';

/**
 * The handle of a result.
 *
 * @param from - the inputs and functions that a part of it needs
 */
export function lazyResult(
  { lazy, id }: LazyReference,
  from: References,
  reader: ResultReader,
): Lazy<unknown> {
  const place = typeof lazy === 'number' ? lazy : lazy.of;
  const load = async (): Promise<unknown> => {
    const bytes = await wholeOf(id as TaskId, reader);
    const input = (at: number): unknown => (at === place ? decodeValue(bytes) : from.input(at));
    return resolveReference(lazy, { ...from, input });
  };
  return {
    id,
    load,
    stream: () =>
      typeof lazy === 'number' ? contentOf(id as TaskId, reader.readPiece) : contentOfPart(load),
  };
}

/** A replica of the server may be late, and is not asked for the last word before it is needed. */
async function wholeOf(id: TaskId, { read, readPiece }: ResultReader): Promise<Uint8Array> {
  const [bytes] = await read([id]);
  if (bytes !== undefined) return bytes;
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(id, readPiece)) pieces.push(piece.bytes);
  return Buffer.concat(pieces);
}

/** The pieces of the CBOR of a result; the next is on its way while one is looked at. */
async function* piecesOf(id: TaskId, readPiece: ReadPiece): AsyncGenerator<ResultPiece> {
  let piece = await readPiece(id, undefined);
  if (piece === undefined) {
    throw new JugqError(
      'RESULT_MISSING',
      `${id} has no result any more: it was invalidated while a task ran that loads it: it will run again`,
    );
  }
  while (piece !== undefined) {
    const following: Promise<ResultPiece | undefined> =
      piece.next === undefined ? Promise.resolve(undefined) : readPiece(id, piece.next);
    // Whoever has read enough does not wait for it.
    following.catch(() => undefined);
    yield piece;
    piece = await following;
  }
}

/** What lies between its first and its last byte is passed on as it comes, and judged as a whole at the end. */
async function* contentOf(id: TaskId, readPiece: ReadPiece): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let digest: string | undefined;
  let content: { readonly start: number; readonly end: number } | undefined;
  let length = 0;
  for await (const { bytes, digest: told } of piecesOf(id, readPiece)) {
    if (content === undefined) {
      digest = told;
      const place = contentPlace(bytes);
      if (place === undefined) throw notStreamed(id);
      content = { start: place.start, end: place.start + place.length };
    }
    hash.update(bytes);
    const own = bytes.subarray(Math.max(content.start - length, 0), content.end - length);
    length += bytes.length;
    if (own.length > 0) yield own;
  }
  const isWhole = length === content?.end;
  if (isWhole && (digest === undefined || hash.digest('hex').startsWith(digest))) return;
  throw new JugqError(
    'VALUE_CORRUPT',
    `the result of ${id} is not what was stored: invalidate the task to compute it anew`,
  );
}

/** A part is only known when the whole is there. */
async function* contentOfPart(load: () => Promise<unknown>): AsyncGenerator<Uint8Array> {
  const bytes = encodeValue(await load());
  const place = contentPlace(bytes);
  if (place === undefined) throw notStreamed('this part of one');
  yield bytes.subarray(place.start, place.start + place.length);
}

function notStreamed(what: string): JugqError {
  return new JugqError(
    'USAGE',
    `stream(): only a text or an array of bytes can be read piece by piece, and ${what} is neither, or a text that UTF-8 cannot hold: load() it`,
  );
}
