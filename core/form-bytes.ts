/**
 * The bytes of a canonical form, on their way into SHA-256.
 *
 * Small forms, which are nearly all, are written into one buffer that is reused and hashed in one call. What does not
 * fit flows through an incremental hash, so that a large argument is never held twice; the digest is the same.
 */
import { createHash, hash, type Hash } from 'node:crypto';
import { endianness } from 'node:os';
import { isWellFormed } from './text.ts';

/** Bytes of the hash that are kept: 160 of 256 bits. */
const digestBytes = 20;
const scratchBytes = 16_384;
/** A buffer grown beyond this, for a large Map or Set, is not kept. */
const keptBytesMax = 1_048_576;
/** Up to this length a text is written character by character, which beats a call of the encoder. */
const shortText = 48;

const littleEndian = endianness() === 'LE';

/** Tags of texts: UTF-8, or UTF-16 for those that UTF-8 cannot hold. */
const textTag = 0x73;
const wideTextTag = 0x53;

/** One form being written; `digest` ends it and makes ready for the next. */
export class FormBytes {
  #bytes = Buffer.allocUnsafeSlow(scratchBytes);
  #at = 0;
  /** Holds what has left the buffer. */
  #stream: Hash | undefined;
  /** While lists are being sorted, what has been written must stay in the buffer. */
  #sorting = 0;

  /** Drops what was written. */
  clear(): void {
    this.#at = 0;
    this.#stream = undefined;
    this.#sorting = 0;
    if (this.#bytes.length > keptBytesMax) this.#bytes = Buffer.allocUnsafeSlow(scratchBytes);
  }

  /** One byte. */
  tag(code: number): void {
    this.#room(1);
    this.#bytes[this.#at++] = code;
  }

  /** How much follows: one byte up to 254, else 255 and four bytes, or 255 and eight that begin with 2^32 - 1. */
  length(count: number): void {
    this.#room(13);
    if (count < 255) {
      this.#bytes[this.#at++] = count;
      return;
    }
    this.#bytes[this.#at++] = 255;
    if (count < 0xffff_ffff) {
      this.#at = this.#bytes.writeUInt32BE(count, this.#at);
      return;
    }
    this.#at = this.#bytes.writeUInt32BE(0xffff_ffff, this.#at);
    this.#at = this.#bytes.writeDoubleBE(count, this.#at);
  }

  /** A whole number of 32 bits, with its sign. */
  int32(value: number): void {
    this.#room(4);
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = value >> 24;
    bytes[at + 1] = value >> 16;
    bytes[at + 2] = value >> 8;
    bytes[at + 3] = value;
    this.#at = at + 4;
  }

  /** IEEE 754 double; all NaN are one, though engines tell them apart by sign. */
  double(value: number): void {
    this.#room(8);
    if (Number.isNaN(value)) {
      this.#at = this.#bytes.writeUInt32BE(0x7ff8_0000, this.#at);
      this.#at = this.#bytes.writeUInt32BE(0, this.#at);
    } else {
      this.#at = this.#bytes.writeDoubleBE(value, this.#at);
    }
  }

  /** A text with its tag and length. */
  text(text: string): void {
    if (text.length <= shortText && this.#shortAscii(text)) return;
    const wide = !isWellFormed(text);
    const encoding = wide ? 'utf16le' : 'utf8';
    const size = Buffer.byteLength(text, encoding);
    this.tag(wide ? wideTextTag : textTag);
    this.length(size);
    if (this.#isLarge(size)) {
      this.#flush().update(Buffer.from(text, encoding));
    } else {
      this.#room(size);
      this.#at += this.#bytes.write(text, this.#at, encoding);
    }
  }

  /**
   * Bytes with their length.
   *
   * @param wordBytes - size of the numbers in it, whose bytes are in this machine's order
   */
  bytes(view: Uint8Array, wordBytes = 1): void {
    this.length(view.length);
    const source = littleEndian || wordBytes === 1 ? view : swapped(view, wordBytes);
    if (this.#isLarge(source.length)) {
      this.#flush().update(source);
    } else {
      this.#room(source.length);
      this.#bytes.set(source, this.#at);
      this.#at += source.length;
    }
  }

  /** Writes each of `items`; what was written then stands in the order of its bytes. */
  sorted<T>(items: Iterable<T>, write: (item: T, position: number) => void): void {
    this.#sorting++;
    const start = this.#at;
    const starts: number[] = [];
    for (const item of items) {
      write(item, starts.push(this.#at) - 1);
    }
    const copy = Buffer.from(this.#bytes.subarray(start, this.#at));
    const order = starts.map((from, i) =>
      copy.subarray(from - start, (starts[i + 1] ?? this.#at) - start),
    );
    order.sort((a, b) => a.compare(b));
    let at = start;
    for (const piece of order) at += piece.copy(this.#bytes, at);
    this.#sorting--;
  }

  /** The first 160 bits of the SHA-256 of all that was written. */
  digest(): Uint8Array {
    // Text of one character a byte: Node makes it in a third of the time of a buffer (0.3 µs, 1 µs).
    const text =
      this.#stream === undefined
        ? hash('sha256', this.#bytes.subarray(0, this.#at), 'binary')
        : this.#flush().digest('binary');
    this.clear();
    const digest = new Uint8Array(digestBytes);
    for (let i = 0; i < digestBytes; i++) digest[i] = text.charCodeAt(i);
    return digest;
  }

  #shortAscii(text: string): boolean {
    const length = text.length;
    this.#room(2 + length);
    const bytes = this.#bytes;
    let at = this.#at + 2;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    bytes[this.#at] = textTag;
    bytes[this.#at + 1] = length;
    this.#at = at;
    return true;
  }

  #isLarge(size: number): boolean {
    return size > scratchBytes / 2 && this.#sorting === 0;
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    if (this.#sorting === 0) this.#flush();
    if (this.#at + size <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow((this.#at + size) * 2);
    this.#bytes.copy(grown, 0, 0, this.#at);
    this.#bytes = grown;
  }

  #flush(): Hash {
    this.#stream ??= createHash('sha256');
    this.#stream.update(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
    return this.#stream;
  }
}

function swapped(view: Uint8Array, wordBytes: number): Uint8Array {
  const copy = Buffer.from(view);
  if (wordBytes === 2) return copy.swap16();
  return wordBytes === 4 ? copy.swap32() : copy.swap64();
}
