/** The typed arrays that are values, with the number of each type. */

/** An array of numbers over an ArrayBuffer. */
export type TypedArray =
  | Uint8Array
  | Uint8ClampedArray
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

export const uint8Tag = 64;

/**
 * The CBOR tag of each type, in little-endian order, by its prototype.
 *
 * @see RFC 8746, section 2.1
 */
export const typedArrayTags: ReadonlyMap<TypedArray, number> = new Map<TypedArray, number>([
  [Uint8Array.prototype, uint8Tag],
  [Uint8ClampedArray.prototype, 68],
  [Uint16Array.prototype, 69],
  [Uint32Array.prototype, 70],
  [BigUint64Array.prototype, 71],
  [Int8Array.prototype, 72],
  [Int16Array.prototype, 77],
  [Int32Array.prototype, 78],
  [BigInt64Array.prototype, 79],
  [Float32Array.prototype, 85],
  [Float64Array.prototype, 86],
]);
