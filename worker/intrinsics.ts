/**
 * Keeps what a task does to the language's own objects from those that run after it in the same thread.
 *
 * A task may replace `Array.prototype.map` or `Promise.prototype.then`, in a test's manner or by accident. Its own attempt
 * has to live with that. Before the next batch everything is put back as it was when its bundle had been imported: what a
 * bundle patches while it is imported it has for all its tasks.
 */

/** A property as it ought to be. */
interface Kept {
  readonly owner: object;
  readonly key: PropertyKey;
  readonly descriptor: PropertyDescriptor;
  /** For people: `Array.prototype.map`. */
  readonly name: string;
}

/** The objects that jugq, the thread pool and most code rest on. */
const owners: readonly (readonly [string, object])[] = [
  ...[Object, Array, Promise, Map, Set, WeakMap, String, Number, BigInt, Function, Error].flatMap(
    (each): (readonly [string, object])[] => [
      [each.name, each],
      [`${each.name}.prototype`, each.prototype as object],
    ],
  ),
  ...[RegExp, Date, URL, Uint8Array, ArrayBuffer, DataView].map(
    (each): readonly [string, object] => [`${each.name}.prototype`, each.prototype],
  ),
  ['TypedArray.prototype', Object.getPrototypeOf(Uint8Array.prototype) as object],
  ['JSON', JSON],
  ['Math', Math],
  ['Reflect', Reflect],
];
const globals = [
  ...['Object', 'Array', 'Promise', 'Map', 'Set', 'WeakMap', 'Error', 'JSON', 'Uint8Array'],
  ...['setTimeout', 'setImmediate', 'clearTimeout', 'queueMicrotask', 'performance', 'process'],
];

// Taken before any code of the user's runs: they must not be replaced under us.
const { defineProperty, getOwnPropertyDescriptor } = Object;
const { ownKeys, deleteProperty } = Reflect;
/** What our own code could not do without. */
const essential = (
  [
    [Array.prototype, 'push'],
    [Array.prototype, 'map'],
    [Promise.prototype, 'then'],
    [Map.prototype, 'get'],
    [globalThis, 'Promise'],
  ] satisfies [object, string][]
).map(([owner, key]) => [owner, key, valueAt(owner, key)] as const);

export class Intrinsics {
  #kept: Kept[] = [];
  #objectKeys = 0;

  constructor() {
    this.accept();
  }

  /** Takes everything as it is now for what it ought to be. */
  accept(): void {
    this.#kept = [];
    for (const [name, owner] of owners) {
      for (const key of ownKeys(owner)) this.#keep(`${name}.${String(key)}`, owner, key);
    }
    for (const key of globals) this.#keep(key, globalThis, key);
    this.#objectKeys = ownKeys(Object.prototype).length;
  }

  /**
   * Puts back what was changed; what was added stays, except on `Object.prototype`, where it would be on everything.
   *
   * @returns the names of what had been changed
   */
  restore(): string[] {
    const changed: string[] = [];
    // A plain loop over plain slots: iterators and methods may be what was changed.
    const kept = this.#kept;
    for (let at = 0; at < kept.length; at++) {
      const each = kept[at];
      if (each === undefined || isAsKept(each)) continue;
      if (!tryDefine(each)) continue;
      changed[changed.length] = each.name;
    }
    if (ownKeys(Object.prototype).length !== this.#objectKeys) this.#removeAdded(changed);
    return changed;
  }

  /** A look at the most essential, cheap enough to be taken after each task. */
  looksChanged(): boolean {
    if (ownKeys(Object.prototype).length !== this.#objectKeys) return true;
    for (let at = 0; at < essential.length; at++) {
      const each = essential[at];
      if (each !== undefined && valueAt(each[0], each[1]) !== each[2]) return true;
    }
    return false;
  }

  #keep(name: string, owner: object, key: PropertyKey): void {
    const descriptor = getOwnPropertyDescriptor(owner, key);
    if (descriptor?.configurable === true) this.#kept.push({ owner, key, descriptor, name });
  }

  #removeAdded(changed: string[]): void {
    for (const key of ownKeys(Object.prototype)) {
      const known = this.#kept.some((each) => each.owner === Object.prototype && each.key === key);
      // `__proto__` and the like were kept; a constructor that is not configurable was there, too.
      if (known || !deleteProperty(Object.prototype, key)) continue;
      changed.push(`Object.prototype.${String(key)}`);
    }
  }
}

/** By value where there is one: comparing whole descriptors would cost an object each. */
function isAsKept({ owner, key, descriptor }: Kept): boolean {
  if (descriptor.get === undefined) {
    return valueAt(owner, key) === descriptor.value;
  }
  return getOwnPropertyDescriptor(owner, key)?.get === descriptor.get;
}

/** A task may have frozen the object: then it stays as it is. */
function tryDefine({ owner, key, descriptor }: Kept): boolean {
  try {
    defineProperty(owner, key, descriptor);
    return true;
  } catch {
    return false;
  }
}

function valueAt(owner: object, key: PropertyKey): unknown {
  return (owner as Record<PropertyKey, unknown>)[key];
}
