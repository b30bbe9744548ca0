import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { isDeepStrictEqual, promisify } from 'node:util';
import { testProp } from '@fast-check/ava';
import test from 'ava';
import fc from 'fast-check';
import { toBase32 } from '../../core/base32.ts';
import { hashKey, hashTask, type Identify } from '../../core/canonical.ts';
import { decodeValue, encodeValue } from '../../core/codec.ts';
import { JugqError } from '../../core/errors.ts';
import { anyValue, smallValue } from './values.ts';
import { calls, hashes, identify, Stand, type Call } from './vectors.ts';

const nothing: Identify = () => undefined;

function hashOf(...args: readonly unknown[]): string {
  return toBase32(hashTask('f', undefined, args, identify));
}

function hashOfCall(call: Call): string {
  return toBase32(hashTask(call.name ?? 'f', call.version, call.args, identify));
}

for (const [what, call] of Object.entries(calls)) {
  test(`hash: ${what}: as pinned`, (t) => {
    t.is(hashOfCall(call), hashes[what] ?? 'no hash is pinned');
  });
}

test('hash: all vectors: differ from each other', (t) => {
  const byHash = new Map(Object.entries(calls).map(([what, call]) => [hashOfCall(call), what]));
  t.deepEqual([...byHash.values()], Object.keys(calls));
});

test('hash: all vectors in another process, zone and language: the same', async (t) => {
  const script = `
    import { toBase32 } from './core/base32.ts';
    import { hashTask } from './core/canonical.ts';
    import { calls, identify } from './test/core/vectors.ts';
    const all = Object.entries(calls).map(([what, { name = 'f', version, args }]) =>
      [what, toBase32(hashTask(name, version, args, identify))]);
    console.log(JSON.stringify(Object.fromEntries(all)));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import=tsx', '--input-type=module', '--eval', script],
    { env: { ...process.env, TZ: 'Asia/Kathmandu', LC_ALL: 'tr_TR.UTF-8' } },
  );
  t.deepEqual(JSON.parse(stdout), hashes);
});

function sha256(...pieces: readonly (string | number[] | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const piece of pieces)
    hash.update(typeof piece === 'string' ? piece : Uint8Array.from(piece));
  return toBase32(hash.digest());
}

test('hash: f(1, "a"): that of the documented form', (t) => {
  t.is(hashOf(1, 'a'), sha256([1], 's', [1], 'f', 'u', [2], 'i', [0, 0, 0, 1], 's', [1], 'a'));
});

test('hash: what is larger than the buffer: that of the documented form', (t) => {
  const bytes = new Uint8Array(1_000_000).fill(7);
  const text = 'ü'.repeat(200_000);
  t.is(
    hashOf({ b: [bytes, 2], a: text }),
    sha256(
      [1], 's', [1], 'f', 'u', [1], '{', [2],
      's', [1], 'a', 's', [255, 0, 6, 0x1a, 0x80], Buffer.from(text),
      's', [1], 'b', '[', [2], 'T', [64, 255, 0, 0x0f, 0x42, 0x40], bytes, 'i', [0, 0, 0, 2],
    ), // prettier-ignore
  );
});

test('hash: a Set of what is larger than the buffer: in the order of the forms', (t) => {
  const a = 'a'.repeat(50_000);
  const b = 'b'.repeat(50_000);
  const expected = sha256(
    [1], 's', [1], 'f', 'u', [1], 'Z', [2],
    's', [255, 0, 0, 0xc3, 0x50], a, 's', [255, 0, 0, 0xc3, 0x50], b,
  ); // prettier-ignore
  t.is(hashOf(new Set([b, a])), expected);
  t.is(hashOf(new Set([a, b])), expected);
});

const different: readonly (readonly [what: string, one: Call, other: Call])[] = [
  ['f([1, 2]) and f([1], 2)', { args: [[1, 2]] }, { args: [[1], 2] }],
  ['f([[1], 2]) and f([[1, 2]])', { args: [[[1], 2]] }, { args: [[[1, 2]]] }],
  ['f("ab", "c") and f("a", "bc")', { args: ['ab', 'c'] }, { args: ['a', 'bc'] }],
  ['f([], []) and f([[]])', { args: [[], []] }, { args: [[[]]] }],
  ['f() and f(null)', { args: [] }, { args: [null] }],
  ['f(1) and g(1)', { args: [1] }, { name: 'g', args: [1] }],
  ['fa("b") and f("ab")', { name: 'fa', args: ['b'] }, { args: ['ab'] }],
  ['version 1 and argument 1', { version: 1, args: [] }, { args: [1] }],
  ['version 1 and version 2', { version: 1, args: [] }, { version: 2, args: [] }],
  ['0 and -0', { args: [0] }, { args: [-0] }],
  ['1 and 1n and "1"', { args: [1] }, { args: [1n] }],
  ['{ a: undefined } and {}', { args: [{ a: undefined }] }, { args: [{}] }],
  ['a Set and an array', { args: [new Set([1])] }, { args: [[1]] }],
  ['a Map and an object', { args: [new Map([['a', 1]])] }, { args: [{ a: 1 }] }],
  ['a lone surrogate and U+FFFD', { args: ['\ud800'] }, { args: ['\ufffd'] }],
  ['two lone surrogates', { args: ['\ud800'] }, { args: ['\ud801'] }],
  ['/a/g and /a/i', { args: [/a/g] }, { args: [/a/i] }],
  ['two errors by cause', { args: [new Error('e', { cause: 1 })] }, { args: [new Error('e')] }],
];

for (const [what, one, other] of different) {
  test(`hash: ${what}: differ`, (t) => {
    t.not(hashOfCall(one), hashOfCall(other));
  });
}

const equal: readonly (readonly [what: string, one: unknown, other: unknown])[] = [
  ['1 and 1.0 and 3 / 3', 1, 3 / 3],
  ['NaN of either sign', NaN, new Float64Array(new Uint32Array([0, 0xfff80000]).buffer)[0]],
  ['keys in another order', { a: 1, b: { c: 1, d: 2 } }, { b: { d: 2, c: 1 }, a: 1 }],
  ['with and without prototype', { a: 1 }, Object.assign(Object.create(null) as object, { a: 1 })],
  ['a Map in another order', new Map([['a', 1], ['b', 2]]), new Map([['b', 2], ['a', 1]])], // prettier-ignore
  ['a Set of objects in another order', new Set([{ a: 1 }, [2]]), new Set([[2], { a: 1 }])],
  [
    'a Map with keys of one form in another order',
    new Map([[{}, 1], [{}, 2]]), // prettier-ignore
    new Map([[{}, 2], [{}, 1]]), // prettier-ignore
  ],
  ['a Buffer and a Uint8Array', Buffer.from([1, 2]), new Uint8Array([1, 2])],
  [
    'a part of a buffer and a copy of it',
    new Uint8Array([9, 1, 2]).subarray(1),
    new Uint8Array([1, 2]),
  ],
  ['two errors by stack', new Error('e'), [new Error('e')][0]],
];

for (const [what, one, other] of equal) {
  test(`hash: ${what}: equal`, (t) => {
    t.is(hashOf(one), hashOf(other));
  });
}

test('hash: trailing undefined arguments: do not count', (t) => {
  t.is(hashOf(1, undefined, undefined), hashOf(1));
  t.not(hashOf(undefined, 1), hashOf(1));
});

test('hash: one object in two places: as two equal ones', (t) => {
  const shared = { a: 1 };
  t.is(hashOf(shared, [shared]), hashOf({ a: 1 }, [{ a: 1 }]));
});

testProp(
  'hash: any value that can be stored: has one, the same after storing',
  [anyValue],
  (t, value) => {
    const hash = hashTask('f', undefined, [value], nothing);
    t.is(hash.length, 20);
    t.deepEqual(hashTask('f', undefined, [decodeValue(encodeValue(value))], nothing), hash);
  },
);

testProp(
  'hash: two values: equal when the values are, and only then',
  [smallValue, smallValue],
  (t, one, other) => {
    t.is(hashOf(one) === hashOf(other), isDeepStrictEqual(one, other));
  },
  { numRuns: 3000 },
);

testProp(
  'hash: arguments in other groups: equal only when the arguments are',
  [fc.array(smallValue, { maxLength: 3 }), fc.array(smallValue, { maxLength: 3 })],
  (t, one, other) => {
    const dropped = (args: readonly unknown[]): unknown[] =>
      args.slice(0, args.findLastIndex((each) => each !== undefined) + 1);
    t.is(hashOf(...one) === hashOf(...other), isDeepStrictEqual(dropped(one), dropped(other)));
  },
  { numRuns: 2000 },
);

testProp(
  'hash: keys, entries and items in any order: the same',
  [fc.dictionary(fc.string(), anyValue, { maxKeys: 8 }), fc.infiniteStream(fc.nat())],
  (t, object, random) => {
    const shuffled = <T>(items: readonly T[]): T[] =>
      items
        .map((item) => ({ item, at: random.next().value as number }))
        .sort((a, b) => a.at - b.at)
        .map(({ item }) => item);
    const entries = Object.entries(object);
    t.is(hashOf(Object.fromEntries(shuffled(entries))), hashOf(object));
    t.is(hashOf(new Map(shuffled(entries))), hashOf(new Map(entries)));
    t.is(hashOf(new Set(shuffled(entries))), hashOf(new Set(entries)));
  },
);

class Picture {
  readonly pixels = Symbol('not hashable');
  readonly path: string;
  constructor(path: string) {
    this.path = path;
  }
  [hashKey](): unknown {
    return { path: this.path };
  }
}

test('hash: an object with [hashKey](): counts by what that returns, and not as that', (t) => {
  t.is(hashOf([new Picture('a')]), hashOf([new Picture('a')]));
  t.not(hashOf(new Picture('a')), hashOf(new Picture('b')));
  t.not(hashOf(new Picture('a')), hashOf({ path: 'a' }));
  t.is(hashOf({ [hashKey]: () => ({ path: 'a' }), other: 1 }), hashOf(new Picture('a')));
});

test('hash: a [hashKey]() that hashes another call: neither disturbs the other', (t) => {
  const inner = hashOf('inner', 'x'.repeat(100_000));
  const outer = (): string =>
    hashOf('before', { [hashKey]: () => hashOf('inner', 'x'.repeat(100_000)) });
  t.is(outer(), hashOf('before', { [hashKey]: () => inner }));
});

test('hash: what is identified: is asked for before it is looked at, once for each place', (t) => {
  const locked = new Proxy(new Picture('a'), {
    get() {
      throw new Error('looked at');
    },
  });
  let asked = 0;
  const find: Identify = (value) => {
    if (value !== locked) return undefined;
    asked++;
    return { kind: 'task', id: 'g.1' };
  };
  const one = hashTask('f', undefined, [[locked], locked], find);
  t.is(asked, 2);
  const task = new Stand({ kind: 'task', id: 'g.1' });
  t.deepEqual(one, hashTask('f', undefined, [[task], task], identify));
});

test('hash: what does not count: equal to any other that does not', (t) => {
  t.is(hashOf(new Stand({ kind: 'nothing' })), hashOf(new Stand({ kind: 'nothing' })));
  t.not(hashOf(new Stand({ kind: 'nothing' })), hashOf(undefined, null));
});

class Point {
  x = 1;
}

const cycle: Record<string, unknown> = {};
cycle['self'] = { list: [cycle] };

function throwing(): never {
  throw new Error('never read');
}

const refused: Readonly<Record<string, readonly [args: unknown[], path: string, what: RegExp]>> = {
  'a function': [[1, { options: [0, { f: throwing }] }], 'argument 2.options[1].f', /^a function .*task\(/],
  'a symbol': [[Symbol('s')], 'argument 1', /^a symbol /],
  'an instance of a class': [[[new Point()]], 'argument 1[0]', /^an instance of Point .*\[hashKey\]/],
  'a Promise': [[Promise.resolve(1)], 'argument 1', /^a Promise .*await/],
  'a WeakMap': [[new WeakMap()], 'argument 1', /WeakMap/],
  'a boxed text': [[Object('a')], 'argument 1', /new String/],
  'an iterator': [[[1].values()], 'argument 1', /^an iterator /],
  'a cycle': [[0, cycle], 'argument 2.self.list[0]', /^a cycle /],
  'a hole': [[[1, , 2]], 'argument 1[1]', /^a hole /],
  'an extra property of an array': [[Object.assign([1], { x: 1 })], 'argument 1', /"x"/],
  'a symbol as a key': [[{ a: { [Symbol('k')]: 1 } }], 'argument 1.a', /Symbol\(k\)/],
  'a getter': [[{ get a() { return throwing(); } }], 'argument 1.a', /getter/], // prettier-ignore
  'a hidden property': [[Object.defineProperty({}, 'h', { value: 1 })], 'argument 1.h', /enumerable/],
  'a [hashKey] that throws': [[[{ [hashKey]: throwing }]], 'argument 1[0]', /never read/],
  'a [hashKey] that is no function': [[{ [hashKey]: 1 }], 'argument 1', /not a function/],
  'what a [hashKey] returns': [
    [{ [hashKey]: () => ({ s: Symbol('s') }) }], 'argument 1[hashKey]().s', /^a symbol /,
  ],
  'a fault in the value of a Map': [[new Map([['k', throwing]])], 'argument 1.get("k")', /^a function /],
  'shared memory': [[new Uint8Array(new SharedArrayBuffer(1))], 'argument 1', /^shared memory /],
}; // prettier-ignore

for (const [what, [args, path, text]] of Object.entries(refused)) {
  test(`hash: ${what}: refused, with its place, the function and what to do`, (t) => {
    const error = t.throws(() => hashTask('kmeans', undefined, args, nothing), {
      instanceOf: JugqError,
    });
    t.is(error.code, 'ARGUMENT_NOT_HASHABLE');
    t.regex(error.message, text);
    t.true(error.message.includes(`: ${path} of function kmeans: `), error.message);
    t.is(error.fields['path'], path);
  });
}

test('hash: after a call that was refused: that of the next is as ever', (t) => {
  t.throws(() => hashOf('left behind', 'x'.repeat(50_000), new Set([Symbol('s')])));
  t.is(hashOf(1, 'a'), sha256([1], 's', [1], 'f', 'u', [2], 'i', [0, 0, 0, 1], 's', [1], 'a'));
});

test('hash: 10,000 levels of any container: refused as too deep', (t) => {
  const containers: readonly ((inside: unknown) => object)[] = [
    (inside) => [inside],
    (inside) => ({ inside }),
    (inside) => new Map([['inside', inside]]),
    (inside) => new Set([inside]),
    (inside) => new Error('outside', { cause: inside }),
    (inside) => ({ [hashKey]: () => inside }),
  ];
  for (const wrap of containers) {
    let value: unknown = 1;
    for (let level = 0; level < 10_000; level++) value = wrap(value);
    const error = t.throws(() => hashOf(value), { instanceOf: JugqError });
    t.regex(error.message, /^a value nested deeper than 256 levels cannot be hashed: argument 1/);
    t.true(error.message.length < 800);
  }
});

test('hash: a [hashKey]() that returns its own object: a cycle', (t) => {
  const own: object = { [hashKey]: () => own };
  const error = t.throws(() => hashOf(own), { instanceOf: JugqError });
  t.regex(error.message, /^a cycle cannot be hashed: argument 1\[hashKey\]\(\) of function f/);
});
