/**
 * The canonical form of values: what is hashed of them.
 *
 * Every value begins with a tag of one byte, and whatever has no fixed size with its length, so that no two different
 * values are written alike:
 *
 * | value | form |
 * | --- | --- |
 * | undefined, null, true, false | `u` `n` `t` `f` |
 * | number | `i` and 4 bytes if it is whole and of 32 bits, but not -0; else `d` and an IEEE 754 double, one NaN |
 * | bigint | `b`, text of its hexadecimal digits |
 * | text | `s`, length, UTF-8; with a lone surrogate `S`, length, UTF-16 |
 * | array | `[`, count, values |
 * | object, also without prototype | `{`, count, texts and values in the order of the texts' UTF-16 |
 * | Map, Set | `M` `Z`, count, pairs or values in the order of their forms' bytes |
 * | Date | `D`, double of its milliseconds |
 * | RegExp | `R`, texts of source and flags, number `lastIndex` |
 * | URL | `U`, text |
 * | Error of a built-in class | `E`, text of the class, object of name, message, cause and errors as far as it has them, object of its enumerable properties; the stack does not count |
 * | ArrayBuffer, DataView | `B` `V`, length, bytes |
 * | typed array | `T`, its CBOR tag (RFC 8746), length, little-endian bytes; a Buffer is a Uint8Array |
 * | object with `[hashKey]()` | `H`, value of what that returns |
 * | task, task function | `K` `F`, text of its id or name |
 * | part of a task's result | `P`, text of the task's id, count, keys (texts, numbers, tasks) and task functions applied |
 * | value that waits for tasks | `A`, value, count, the tasks |
 * | content known by its digest | `G`, texts of what it is and of the digest |
 * | something that must not count | `N` |
 */
import { errorKinds, takeErrorApart, type ErrorKind } from './error-parts.ts';
import { JugqError } from './errors.ts';
import { typedArrayTags, uint8Tag, type TypedArray } from './typed-arrays.ts';
import type { FormBytes } from './form-bytes.ts';
import { hashKey, type Identify } from './identity.ts';
import { renderPath, type Step } from './value-path.ts';
import {
  arrayFault,
  bytesFault,
  decoratedFault,
  depthFault,
  foreignFault,
  holeFault,
  propertyFault,
  symbolFault,
  type Fault,
  type Trail,
} from './value-shape.ts';

/** A form being written, and what is needed to write or refuse a value. */
export interface Form extends Trail {
  readonly bytes: FormBytes;
  readonly identify: Identify;
  readonly functionName: string;
}

/** Writes a value that is one step further down. */
export function writeAt(form: Form, step: Step, value: unknown): void {
  form.path.push(step);
  writeValue(form, value);
  form.path.pop();
}

/**
 * Writes any value.
 *
 * @throws JugqError `ARGUMENT_NOT_HASHABLE`
 */
export function writeValue(form: Form, value: unknown): void {
  const { bytes } = form;
  switch (typeof value) {
    case 'string':
      bytes.text(value);
      return;
    case 'number':
      writeNumber(bytes, value);
      return;
    case 'boolean':
      bytes.tag(value ? tags.true : tags.false);
      return;
    case 'undefined':
      bytes.tag(tags.undefined);
      return;
    case 'bigint':
      bytes.tag(tags.bigint);
      bytes.text(value.toString(16));
      return;
    case 'object':
      if (value === null) bytes.tag(tags.null);
      else writeObject(form, value);
      return;
    case 'function':
      if (!writeIdentity(form, value)) throw refused(form, foreignFault(value, mendOfClass));
      return;
    case 'symbol':
      throw refused(form, foreignFault(value, mendOfClass));
  }
}

function writeNumber(bytes: FormBytes, value: number): void {
  // -0 equals its own 32-bit form, and is told apart by its reciprocal.
  if ((value | 0) === value && (value !== 0 || 1 / value > 0)) {
    bytes.tag(tags.int32);
    bytes.int32(value);
  } else {
    bytes.tag(tags.double);
    bytes.double(value);
  }
}

function writeIdentity(form: Form, value: object): boolean {
  const identity = form.identify(value);
  if (identity === undefined) return false;
  const { bytes } = form;
  switch (identity.kind) {
    case 'task':
      bytes.tag(tags.task);
      bytes.text(identity.id);
      return true;
    case 'function':
      bytes.tag(tags.function);
      bytes.text(identity.name);
      return true;
    case 'part':
      bytes.tag(tags.part);
      bytes.text(identity.of);
      bytes.length(identity.path.length);
      for (const key of identity.path) writeValue(form, key);
      return true;
    case 'after':
      bytes.tag(tags.after);
      writeValue(form, identity.value);
      bytes.length(identity.tasks.length);
      for (const each of identity.tasks) writeValue(form, each);
      return true;
    case 'value':
      writeValue(form, identity.value);
      return true;
    case 'digest':
      bytes.tag(tags.digest);
      bytes.text(identity.tag);
      bytes.text(identity.digest);
      return true;
    case 'nothing':
      bytes.tag(tags.nothing);
      return true;
  }
}

function writeObject(form: Form, value: object): void {
  if (writeIdentity(form, value)) return;
  refuse(form, depthFault(form));
  form.containers.push(value);
  writeContents(form, value);
  form.containers.pop();
}

function writeContents(form: Form, value: object): void {
  const key = (value as { readonly [hashKey]?: unknown })[hashKey];
  if (key !== undefined) {
    writeHashKey(form, value, key);
  } else if (Array.isArray(value)) {
    writeArray(form, value);
  } else {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) {
      writePlainObject(form, value);
      return;
    }
    const write = builtins.get(prototype);
    if (write === undefined) throw refused(form, foreignFault(value, mendOfClass));
    write(form, value);
  }
}

function writeHashKey(form: Form, value: object, key: unknown): void {
  if (typeof key !== 'function') {
    throw refused(form, {
      what: 'a [hashKey] that is not a function',
      mend: 'make it a method that returns what counts of the object',
    });
  }
  form.bytes.tag(tags.hashKey);
  writeAt(form, { kind: 'hashKey' }, Reflect.apply(key, value, []));
}

function writeArray(form: Form, items: readonly unknown[]): void {
  refuse(form, arrayFault(items));
  form.bytes.tag(tags.array);
  form.bytes.length(items.length);
  for (let i = 0; i < items.length; i++) {
    const item = items[i];
    if (typeof item === 'number') {
      writeNumber(form.bytes, item);
    } else {
      form.path.push(i);
      if (item === undefined && !Object.hasOwn(items, i)) throw refused(form, holeFault);
      writeValue(form, item);
      form.path.pop();
    }
  }
}

function writePlainObject(form: Form, value: object): void {
  refuse(form, symbolFault(value));
  const keys = Object.getOwnPropertyNames(value);
  // The default order compares UTF-16 code units, in every locale.
  if (keys.length > 1) keys.sort();
  form.bytes.tag(tags.object);
  form.bytes.length(keys.length);
  for (const key of keys) {
    form.bytes.text(key);
    form.path.push(key);
    const property = Object.getOwnPropertyDescriptor(value, key);
    refuse(form, propertyFault(property));
    writeValue(form, property?.value);
    form.path.pop();
  }
}

function writeMap(form: Form, map: ReadonlyMap<unknown, unknown>): void {
  refuse(form, decoratedFault(map));
  form.bytes.tag(tags.map);
  form.bytes.length(map.size);
  form.bytes.sorted(map, ([key, value], position) => {
    writeAt(form, { kind: 'key', position }, key);
    writeAt(form, { kind: 'value', position, key }, value);
  });
}

function writeSet(form: Form, set: ReadonlySet<unknown>): void {
  refuse(form, decoratedFault(set));
  form.bytes.tag(tags.set);
  form.bytes.length(set.size);
  form.bytes.sorted(set, (item, position) => {
    writeAt(form, { kind: 'item', position }, item);
  });
}

function writeDate(form: Form, date: Date): void {
  refuse(form, decoratedFault(date));
  form.bytes.tag(tags.date);
  form.bytes.double(date.getTime());
}

function writeRegExp(form: Form, pattern: RegExp): void {
  refuse(form, decoratedFault(pattern, 1));
  form.bytes.tag(tags.regExp);
  form.bytes.text(pattern.source);
  form.bytes.text(pattern.flags);
  writeAt(form, 'lastIndex', pattern.lastIndex);
}

function writeUrl(form: Form, url: URL): void {
  refuse(form, decoratedFault(url));
  form.bytes.tag(tags.url);
  form.bytes.text(url.href);
}

function writeError(form: Form, error: Error, kind: ErrorKind): void {
  const parts = takeErrorApart(error, kind);
  const counting = Object.entries(parts.hidden).filter(([key]) => key !== 'stack');
  form.bytes.tag(tags.error);
  form.bytes.text(kind);
  writePlainObject(form, Object.fromEntries(counting));
  writePlainObject(form, parts.shown);
}

function writeArrayBuffer(form: Form, buffer: ArrayBuffer): void {
  refuse(form, bytesFault(buffer));
  form.bytes.tag(tags.arrayBuffer);
  form.bytes.bytes(new Uint8Array(buffer));
}

function writeDataView(form: Form, view: DataView): void {
  refuse(form, bytesFault(view));
  form.bytes.tag(tags.dataView);
  form.bytes.bytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
}

function writeTypedArray(form: Form, view: TypedArray, type: number): void {
  refuse(form, bytesFault(view));
  form.bytes.tag(tags.typedArray);
  form.bytes.tag(type);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  form.bytes.bytes(bytes, view.BYTES_PER_ELEMENT);
}

function refuse(form: Form, fault: Fault | undefined): void {
  if (fault !== undefined) throw refused(form, fault);
}

function refused(form: Form, fault: Fault): JugqError {
  const path = pathOf(form);
  return new JugqError(
    'ARGUMENT_NOT_HASHABLE',
    `${fault.what} cannot be hashed: ${path} of function ${form.functionName}: ${fault.mend}`,
    { fields: { path, functionName: form.functionName } },
  );
}

/** Where the writing stands, as a user would say it. */
export function pathOf(form: Form): string {
  const [position, ...steps] = form.path;
  return typeof position === 'number'
    ? renderPath(`argument ${(position + 1).toString()}`, steps)
    : 'the version';
}

const mendOfClass =
  'pass a plain object, for example { ...instance }, or give its class a [hashKey]() method that returns what counts: its own properties then travel, its methods do not';

function code(letter: string): number {
  return letter.charCodeAt(0);
}

const tags = {
  undefined: code('u'),
  null: code('n'),
  true: code('t'),
  false: code('f'),
  int32: code('i'),
  double: code('d'),
  bigint: code('b'),
  array: code('['),
  object: code('{'),
  map: code('M'),
  set: code('Z'),
  date: code('D'),
  regExp: code('R'),
  url: code('U'),
  error: code('E'),
  arrayBuffer: code('B'),
  dataView: code('V'),
  typedArray: code('T'),
  hashKey: code('H'),
  task: code('K'),
  function: code('F'),
  part: code('P'),
  after: code('A'),
  digest: code('G'),
  nothing: code('N'),
} as const;

type WriteBuiltin = (form: Form, value: object) => void;

/** Safe because a writer is found by the prototype of the very class that it is for. */
function builtin<T extends object>(
  prototype: T,
  write: (form: Form, value: T) => void,
): [unknown, WriteBuiltin] {
  return [prototype, write as WriteBuiltin];
}

/** How each built-in object is written, by its prototype. */
const builtins: ReadonlyMap<unknown, WriteBuiltin> = new Map([
  builtin(Map.prototype, writeMap),
  builtin(Set.prototype, writeSet),
  builtin(Date.prototype, writeDate),
  builtin(RegExp.prototype, writeRegExp),
  builtin(URL.prototype, writeUrl),
  builtin(ArrayBuffer.prototype, writeArrayBuffer),
  builtin(DataView.prototype, writeDataView),
  builtin(Buffer.prototype as TypedArray, (form, view) => {
    writeTypedArray(form, view, uint8Tag);
  }),
  ...Array.from(typedArrayTags, ([prototype, tag]) =>
    builtin(prototype, (form, view) => {
      writeTypedArray(form, view, tag);
    }),
  ),
  ...Array.from(errorKinds, ([prototype, kind]) =>
    builtin(prototype, (form, error) => {
      writeError(form, error, kind);
    }),
  ),
]);
