/**
 * Any value that a task may return, as JSON.
 *
 * | value | JSON |
 * | --- | --- |
 * | text, finite number, boolean, null, array, plain object | itself |
 * | undefined, NaN, an infinity | `null` |
 * | bigint | its decimal digits, as text |
 * | Date, URL, RegExp | their usual text (a Date's is ISO 8601) |
 * | Map | an object if all keys are text, else an array of pairs |
 * | Set, typed array | an array |
 * | Buffer, Uint8Array, ArrayBuffer, DataView | base64 |
 * | Error | `{ "name", "message", "cause" }` |
 */
export interface JsonValue {
  readonly json: unknown;
  /** Whether the original cannot be told from the JSON. */
  readonly lossy: boolean;
}

/** A value as something that `JSON.stringify` takes. */
export function toJsonValue(value: unknown): JsonValue {
  const seen = { lossy: false };
  return { json: convert(value, seen), lossy: seen.lossy };
}

function convert(value: unknown, seen: { lossy: boolean }): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value) || Object.is(value, -0)) seen.lossy = true;
      return Number.isFinite(value) ? value : null;
    case 'object':
      return value === null ? null : convertObject(value, seen);
    case 'bigint':
      seen.lossy = true;
      return value.toString();
    default:
      seen.lossy = true;
      return null;
  }
}

function convertObject(value: object, seen: { lossy: boolean }): unknown {
  const each = (item: unknown): unknown => convert(item, seen);
  if (Array.isArray(value)) return value.map(each);
  if (Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null) {
    return objectOf(Object.entries(value), each);
  }
  seen.lossy = true;
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)];
    return entries.every((entry): entry is [string, unknown] => typeof entry[0] === 'string')
      ? objectOf(entries, each)
      : entries.map((entry) => entry.map(each));
  }
  if (value instanceof Set) return [...(value as Set<unknown>)].map(each);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString('base64');
  if (value instanceof DataView) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  }
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as Iterable<unknown>, each);
  if (value instanceof Error) {
    return {
      name: value.name,
      message: value.message,
      ...('cause' in value ? { cause: each(value.cause) } : {}),
    };
  }
  return (value as URL | RegExp).toString();
}

/** Keeps a key such as `__proto__` a key. */
function objectOf(
  entries: readonly (readonly [string, unknown])[],
  each: (item: unknown) => unknown,
): unknown {
  const all: Record<string, unknown> = {};
  for (const [key, item] of entries) {
    Object.defineProperty(all, key, {
      value: each(item),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return all;
}
