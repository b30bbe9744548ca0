/**
 * Packing of jugq's own messages between processes and threads: plain CBOR maps, arrays and byte strings.
 *
 * Users' values never pass through here except as byte strings that `codec.ts` has made.
 */
import { Encoder } from 'cbor-x';
import { isJugqError, JugqError } from './errors.ts';

const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, copyBuffers: false });

/** CBOR of a plain value; the bytes are the caller's own. */
export function pack(value: unknown): Uint8Array {
  return encoder.encode(value);
}

/**
 * The value packed in `bytes`. Byte strings in it are views of `bytes`.
 *
 * @throws JugqError `VALUE_CORRUPT`
 */
export function unpack(bytes: Uint8Array, what: string): unknown {
  try {
    return encoder.decode(bytes) as unknown;
  } catch (cause) {
    throw new JugqError(
      'VALUE_CORRUPT',
      `${what} is not readable: it was not written by jugq, or was cut`,
      { cause },
    );
  }
}

/**
 * Fails when a message was written in a format that this version does not know.
 *
 * @throws JugqError `FORMAT_UNKNOWN`
 */
export function requireFormat(found: unknown, known: number, what: string): void {
  if (found === known) return;
  throw new JugqError(
    'FORMAT_UNKNOWN',
    `${what} has format ${String(found)}, this jugq reads format ${known.toString()}: run the same version of jugq on all machines`,
  );
}

/** Whether the server holds something that cannot be read here: it concerns that one thing, and no more. */
export function isUnreadable(error: unknown): error is JugqError {
  return isJugqError(error, 'VALUE_CORRUPT') || isJugqError(error, 'FORMAT_UNKNOWN');
}
