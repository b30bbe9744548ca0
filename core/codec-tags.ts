/**
 * CBOR as jugq writes it: the tags, and cbor-x set up for them.
 *
 * Standard tags are used where there are any: 1 (Date), 2 and 3 (bigint beyond 64 bits), 32 (URL), 35 (RegExp without
 * flags), 64 to 86 (typed arrays; a Buffer is an untagged byte string), 258 (Set), 259 (Map). What CBOR has no tag for
 * carries one of ours, from the registry's first-come range:
 *
 * | tag | content | stands for |
 * | --- | --- | --- |
 * | 38610 | int, text or map | a reference inside arguments to a task, a part of one, a function or a file: `references.ts` |
 * | 38611 | byte string | a text that UTF-8 cannot hold or readers change (lone surrogate, byte order mark): UTF-16LE |
 * | 38612 | 259(map) | an object with a key that readers change (`__proto__`, or such a text) |
 * | 38613 | 259(map) | an object without prototype |
 * | 38614 | float | a Date that does not survive as seconds, such as an invalid one (NaN) |
 * | 38615 | [text, text, any] | a RegExp: source, flags, `lastIndex` |
 * | 38616 | [text, map, map] | an Error: its class, its properties that are not enumerable, those that are |
 * | 38617 | byte string | an ArrayBuffer |
 * | 38618 | byte string | a DataView |
 * | 38619 | any | that, in the arguments of a task that does not read the results of all its dependencies |
 *
 * A bigint of up to 64 bits is an integer of 8 bytes, and a number never is: that tells 5n from 5, while every reader
 * sees an integer. Numbers outside of 32 bits are floats.
 *
 * Extensions of cbor-x are global to the module, not to an encoder; these touch no tag that anything else in jugq uses.
 */
import { addExtension, Encoder, Tag } from 'cbor-x';
import { putErrorTogether } from './error-parts.ts';

export const tags = {
  unsignedBignum: 2,
  negativeBignum: 3,
  url: 32,
  regExp: 35,
  set: 258,
  reference: 38610,
  wideText: 38611,
  keyedObject: 38612,
  bareObject: 38613,
  exactDate: 38614,
  fullRegExp: 38615,
  error: 38616,
  arrayBuffer: 38617,
  dataView: 38618,
  waiting: 38619,
} as const;

/** What stands in the encoder's input for a value that it would change. */
export function tagged(tag: number, content: unknown): object {
  return new Tag(content, tag);
}

/** A number that the encoder would change. */
class ExactNumber {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** The encoder writes 0 for it. */
export const negativeZero: object = new ExactNumber(-0);

/** Engines make NaN with either sign (x86: 0 / 0 is negative), and the encoder writes what it gets. */
export const oneNaN: object = new ExactNumber(NaN);

/** The package's types lack these. */
interface FullEncoder extends Encoder {
  alwaysUseFloat: boolean;
  useBuffer(buffer: Uint8Array): void;
}

const encoder = new Encoder({
  useRecords: false,
  mapsAsObjects: true,
  copyBuffers: true,
  variableMapSize: true,
}) as FullEncoder;

const scratchBytes = 65_536;
/** cbor-x keeps the buffer of its last value, and every later one of that size: it is taken away beyond this. */
const keptBytesMax = 1_048_576;

/** CBOR of what `codec-substitutes.ts` has made; the bytes own their memory, and all of it. */
export function encodeExact(exact: unknown): Uint8Array {
  const shared = encoder.encode(exact);
  const bytes = new Uint8Array(shared);
  if (shared.buffer.byteLength > keptBytesMax) {
    encoder.useBuffer(Buffer.allocUnsafeSlow(scratchBytes));
  }
  return bytes;
}

/** What to put in the place of each reference while decoding. */
type OnReference = (reference: unknown) => unknown;
let onReference: OnReference = noReference;

/** Any value from its CBOR; everything in it is a copy. */
export function decodeExact(bytes: Uint8Array, forReference: OnReference = noReference): unknown {
  onReference = forReference;
  try {
    // A view of its own: byte strings come out as Buffers only from a Buffer, and cbor-x leaves a mark on its input.
    return encoder.decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } finally {
    onReference = noReference;
  }
}

function noReference(): never {
  throw new TypeError('expected no reference to a task');
}

type Extension = Parameters<typeof addExtension>[0];

// Without a tag of its own, the number alone is written.
addExtension({
  Class: ExactNumber,
  encode(exact: ExactNumber, encode: (value: number) => void): void {
    encoder.alwaysUseFloat = true;
    try {
      encode(exact.value);
    } finally {
      encoder.alwaysUseFloat = false;
    }
  },
} as unknown as Extension);

const decoders: readonly (readonly [number, (content: never) => unknown])[] = [
  // cbor-x adds a byte at a time, which takes quadratic time.
  [tags.unsignedBignum, (bytes: Uint8Array) => toBigInt(bytes)],
  [tags.negativeBignum, (bytes: Uint8Array) => -1n - toBigInt(bytes)],
  [tags.url, (href: string) => new URL(href)],
  [tags.regExp, (source: string) => new RegExp(source)],
  [tags.reference, (reference: unknown) => onReference(reference)],
  [tags.wideText, (bytes: Uint8Array) => toBuffer(bytes).toString('utf16le')],
  [tags.keyedObject, (map: Map<string, unknown>) => Object.fromEntries(map)],
  [tags.bareObject, toBareObject],
  [tags.exactDate, (milliseconds: number) => new Date(milliseconds)],
  [tags.fullRegExp, toRegExp],
  [tags.error, toError],
  [tags.arrayBuffer, (bytes: Uint8Array) => toArrayBuffer(bytes)],
  [tags.dataView, (bytes: Uint8Array) => new DataView(toArrayBuffer(bytes))],
  [tags.waiting, (value: unknown) => value],
];
for (const [tag, decode] of decoders) addExtension({ tag, decode } as unknown as Extension);

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toBuffer(bytes).toString('hex')}`);
}

function toArrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer;
}

function toBareObject(map: Map<string, unknown>): object {
  const bare = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of map) bare[key] = value;
  return bare;
}

function toRegExp([source, flags, lastIndex]: readonly [string, string, unknown]): RegExp {
  const pattern = new RegExp(source, flags);
  return Object.assign(pattern, { lastIndex });
}

function toError([kind, hidden, shown]: readonly [unknown, object, object]): Error {
  return putErrorTogether({ kind, hidden, shown });
}
