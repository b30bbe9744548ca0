/** Exact comparison: the order of Maps, Sets and keys counts, as do -0, types, prototypes and hidden properties. */

/** Where two values differ; undefined if they are the same in everything and share no object. */
export function difference(a: unknown, b: unknown, path = 'value'): string | undefined {
  if (!isObject(a) || !isObject(b)) return Object.is(a, b) ? undefined : path;
  if (a === b) return `${path}: the very same object`;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: its prototype`;
  const ours = piecesOf(a);
  const theirs = piecesOf(b);
  if (ours.length !== theirs.length) return `${path}: its size`;
  for (const [i, [name, piece]] of ours.entries()) {
    const [otherName, other] = theirs[i] ?? [];
    if (name !== otherName) return `${path}: ${name} or ${String(otherName)}`;
    const found = difference(piece, other, `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

type Piece = readonly [name: string, value: unknown];

function piecesOf(value: object): Piece[] {
  return [...contentsOf(value), ...propertiesOf(value)];
}

/** What a built-in object holds that is no property of it. */
function contentsOf(value: object): Piece[] {
  if (value instanceof Map)
    return [...value].flat().map((each, i) => [`entry ${i.toString()}`, each]);
  if (value instanceof Set) return [...value].map((each, i) => [`item ${i.toString()}`, each]);
  if (value instanceof Date) return [['time', value.getTime()]];
  if (value instanceof RegExp) return [['pattern', String(value)]];
  if (value instanceof URL) return [['href', value.href]];
  if (value instanceof ArrayBuffer) return [['bytes', Buffer.from(value).toString('hex')]];
  if (!ArrayBuffer.isView(value)) return [];
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return [['bytes', bytes.toString('hex')]];
}

function propertiesOf(value: object): Piece[] {
  if (ArrayBuffer.isView(value)) return [];
  const keys = Reflect.ownKeys(value);
  // The engine puts the hidden properties of an error in the order in which they came about.
  if (value instanceof Error) keys.sort();
  return keys.flatMap((key): Piece[] => {
    const property = Object.getOwnPropertyDescriptor(value, key);
    return [
      [String(key), property?.value],
      [`enumerable ${String(key)}`, property?.enumerable],
    ];
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
