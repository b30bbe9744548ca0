import { Encoder, addExtension } from 'cbor-x';
class Ref {
  v: unknown;
  constructor(v: unknown) {
    this.v = v;
  }
}
let resolver: (r: unknown) => unknown = (r) => r;
addExtension({
  Class: Ref,
  tag: 44001,
  encode: (i: Ref, enc: (v: unknown) => Uint8Array) => enc(i.v),
  decode: (v: unknown) => resolver(v),
} as never);
const e = new Encoder({ useRecords: false, copyBuffers: true } as never);
export function encodeValue(value: unknown): Uint8Array {
  return e.encode(value);
}
export function decodeValue(bytes: Uint8Array): unknown {
  return e.decode(bytes) as unknown;
}
export type Refer = (value: object) => unknown;
export function encodeArguments(args: readonly unknown[], refer: Refer): Uint8Array {
  const walk = (v: unknown): unknown => {
    if ((typeof v !== 'object' && typeof v !== 'function') || v === null) return v;
    const r = refer(v);
    if (r !== undefined) return new Ref(r);
    if (Array.isArray(v)) return v.map(walk);
    if (Object.getPrototypeOf(v) === Object.prototype)
      return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, walk(x)]));
    return v;
  };
  return e.encode(args.map(walk));
}
export function decodeArguments(
  bytes: Uint8Array,
  resolve: (reference: unknown) => unknown,
): unknown[] {
  resolver = resolve;
  return e.decode(bytes) as unknown[];
}
