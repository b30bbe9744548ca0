/** Where in the CBOR of a result the bytes lie that are its content, for who reads it piece by piece. */
import { tags } from './codec-tags.ts';

/** Bytes of a value that are its content: what a text is in UTF-8, or a byte array as it lies in memory. */
export interface ContentPlace {
  readonly start: number;
  readonly length: number;
}

/**
 * The content of a text, a typed array, a Buffer, an ArrayBuffer or a DataView; undefined for any other value, and for a
 * text that UTF-8 cannot hold.
 *
 * @param bytes - the beginning of the CBOR of a value, all of it or at least 16 bytes
 * @see RFC 8949, section 3
 */
export function contentPlace(bytes: Uint8Array): ContentPlace | undefined {
  const first = head(bytes, 0);
  if (first?.major === major.bytes || first?.major === major.text) return placeOf(first);
  if (first?.major !== major.tag || !isByteArray(first.argument)) return undefined;
  const content = head(bytes, first.end);
  return content?.major === major.bytes ? placeOf(content) : undefined;
}

const major = { bytes: 2, text: 3, tag: 6 } as const;
/** Tags of typed arrays: RFC 8746. */
const typedArrays = { first: 64, last: 87 } as const;

function isByteArray(tag: number): boolean {
  const isTyped = tag >= typedArrays.first && tag <= typedArrays.last;
  return isTyped || tag === tags.arrayBuffer || tag === tags.dataView;
}

interface Head {
  readonly major: number;
  readonly argument: number;
  /** Where what comes behind it begins. */
  readonly end: number;
}

function placeOf({ end, argument }: Head): ContentPlace {
  return { start: end, length: argument };
}

/** Undefined: it is cut, or of a length that is not told. */
function head(bytes: Uint8Array, at: number): Head | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const short = first & 0x1f;
  if (short < 24) return { major: first >> 5, argument: short, end: at + 1 };
  const size = 2 ** (short - 24);
  const end = at + 1 + size;
  if (size > 8 || end > bytes.length) return undefined;
  let argument = 0;
  for (let each = at + 1; each < end; each++) argument = argument * 256 + (bytes[each] ?? 0);
  return { major: first >> 5, argument, end };
}
