import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { testProp } from '@fast-check/ava';
import test from 'ava';
import { decodeArguments, decodeValue, encodeArguments, encodeValue } from '../../core/codec.ts';
import { hashKey } from '../../core/canonical.ts';
import { JugqError } from '../../core/errors.ts';
import { difference } from './difference.ts';
import { anyValue } from './values.ts';

const noReference = (): undefined => undefined;

testProp(
  'codec: any value there and back: the same in everything',
  [anyValue],
  (t, value) => {
    t.is(difference(value, decodeValue(encodeValue(value))), undefined);
  },
  { numRuns: 1500 },
);

testProp('codec: any value encoded twice: the same bytes', [anyValue], (t, value) => {
  const bytes = encodeValue(value);
  t.deepEqual(encodeValue(value), bytes);
  t.deepEqual(encodeValue(decodeValue(bytes)), bytes);
});

testProp('codec: any value: encoding it changes nothing in it', [anyValue], (t, value) => {
  const copy = decodeValue(encodeValue(value));
  encodeValue(value);
  encodeArguments([value], noReference);
  t.is(difference(value, copy), undefined);
});

test('codec: any value, where cbor-x has no native part: the same in everything', async (t) => {
  const script = `
    import assert from 'node:assert';
    import fc from 'fast-check';
    import { isNativeAccelerationEnabled } from 'cbor-x';
    import { decodeValue, encodeValue } from './core/codec.ts';
    import { difference } from './test/core/difference.ts';
    import { anyValue } from './test/core/values.ts';
    assert.equal(isNativeAccelerationEnabled, false);
    fc.assert(fc.property(anyValue, (value) => {
      assert.equal(difference(value, decodeValue(encodeValue(value))), undefined);
    }), { numRuns: 500 });
    console.log('all the same');
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import=tsx', '--input-type=module', '--eval', script],
    { env: { ...process.env, CBOR_NATIVE_ACCELERATION_DISABLED: 'true' } },
  );
  t.is(stdout, 'all the same\n');
});

const keptExactly: Readonly<Record<string, unknown>> = {
  'negative zero': [-0, { x: -0 }, new Map([['x', -0]])],
  'NaN of either sign': [NaN, new Float64Array(new Uint32Array([0, 0xfff80000]).buffer)[0]],
  'undefined in objects and arrays': { a: undefined, b: [undefined, null] },
  'large whole numbers': [2 ** 53, 2 ** 64, -(2 ** 63), 2 ** 32, Number.MAX_VALUE],
  'bigints of any size': [0n, 5n, -5n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), 3n ** 5000n],
  'lone surrogates': ['\ud800', 'a\udfffb', { '\ud800': '\udc00' }],
  'a byte order mark before a long text': `\ufeff${'a'.repeat(100)}`,
  'the key __proto__': JSON.parse('{"__proto__": {"a": 1}, "b": 2}') as unknown,
  'keys that are methods elsewhere': { constructor: 1, hasOwnProperty: 2, toJSON: 3, then: 4 },
  'no prototype': Object.assign(Object.create(null) as object, { a: 1 }),
  'the order of keys, Maps and Sets': [
    { b: 1, a: 2, 1: 3 },
    new Map([
      ['b', 1],
      ['a', 2],
    ]),
    new Set([2, 1]),
  ],
  'keys of Maps that are no texts': new Map<unknown, unknown>([
    [1, 2],
    ['1', 3],
    [{ a: 1 }, 4],
    [[1], 5],
    [NaN, 6],
  ]),
  'dates at the ends of time': [
    new Date(NaN),
    new Date(8.64e15),
    new Date(-8.64e15),
    new Date(-1),
    new Date(0),
  ],
  'every type of binary': [
    Buffer.from('ab'),
    new Uint8Array([1]),
    new Uint8ClampedArray([1]),
    new Int8Array([-1]),
    new Uint16Array([1]),
    new Int16Array([-1]),
    new Uint32Array([1]),
    new Int32Array([-1]),
    new Float32Array([0.5]),
    new Float64Array([-0, NaN]),
    new BigUint64Array([1n]),
    new BigInt64Array([-1n]),
    new ArrayBuffer(3),
    new DataView(new ArrayBuffer(4), 1, 2),
  ],
  patterns: [/a/, /[/]\n/giu, Object.assign(/a/y, { lastIndex: 3 })],
  addresses: new URL('https://user:pw@example.org:8080/ä?q=1#x'),
  'errors with cause and code': [
    Object.assign(new RangeError('r', { cause: new Error('c', { cause: { a: -0 } }) }), {
      code: 'E',
    }),
    new AggregateError([new TypeError('t')], 'several'),
    new Error(),
  ],
};

for (const [what, value] of Object.entries(keptExactly)) {
  test(`codec: ${what}: kept exactly`, (t) => {
    t.is(difference(value, decodeValue(encodeValue(value))), undefined);
  });
}

test('codec: an error: comes back as a true error, with its stack', (t) => {
  const error = new TypeError('t');
  const back = decodeValue(encodeValue(error)) as TypeError;
  t.true(back instanceof TypeError);
  t.is(back.stack, error.stack);
  t.is(Object.prototype.toString.call(back), '[object Error]');
});

class Point {
  x = 1;
}

test('codec: an object in two places: comes back as two', (t) => {
  const shared = { a: 1 };
  const [first, second] = decodeValue(encodeValue([shared, shared])) as [object, object];
  t.deepEqual([first, second], [shared, shared]);
  t.not(first, second);
});

// From RFC 8949, appendix A, and RFC 8746: what any reader of CBOR understands.
const plainCbor: readonly (readonly [value: unknown, hex: string])[] = [
  [0, '00'],
  [-0, 'fb8000000000000000'],
  [1000000, '1a000f4240'],
  [-1000, '3903e7'],
  [1.1, 'fb3ff199999999999a'],
  [NaN, 'fb7ff8000000000000'],
  [new Float64Array(new Uint32Array([0, 0xfff80000]).buffer)[0], 'fb7ff8000000000000'],
  [18446744073709551615n, '1bffffffffffffffff'],
  [18446744073709551616n, 'c249010000000000000000'],
  [-18446744073709551617n, 'c349010000000000000000'],
  [[false, true, null, undefined], '84f4f5f6f7'],
  ['ü水', '65c3bce6b0b4'],
  [[1, [2, 3]], '8201820203'],
  [{ a: 1, b: [2, 3] }, 'a26161016162820203'],
  [Buffer.from([1, 2, 3, 4]), '4401020304'],
  [new Uint8Array([1, 2]), 'd840420102'],
  [new Date(1363896240000), 'c11a514b67b0'],
  [new URL('http://www.example.com/'), 'd82077687474703a2f2f7777772e6578616d706c652e636f6d2f'],
  [/a/, 'd8236161'],
  [new Set([1]), 'd9010281' + '01'],
  [new Map([[1, 2]]), 'd90103a10102'],
];

for (const [i, [value, hex]] of plainCbor.entries()) {
  test(`codec: value ${i.toString()}, ${hex}: plain CBOR`, (t) => {
    t.is(Buffer.from(encodeValue(value)).toString('hex'), hex);
  });
}

test('codec: decoded twice with a change in between: the second copy is not changed', (t) => {
  const bytes = encodeValue({
    a: new Uint8Array([1]),
    b: Buffer.from([2]),
    c: new ArrayBuffer(1),
    d: new Float64Array(1),
  });
  const before = Buffer.from(bytes).toString('hex');
  const first = decodeValue(bytes) as { a: Uint8Array; b: Buffer; c: ArrayBuffer; d: Float64Array };
  first.a[0] = 9;
  first.b[0] = 9;
  new Uint8Array(first.c)[0] = 9;
  first.d[0] = 9;
  t.is(Buffer.from(bytes).toString('hex'), before);
});

test('codec: the bytes of a value: own all of their memory, also of a small one after a large one', (t) => {
  for (const value of [1, 'a'.repeat(3_000_000), 2]) {
    const bytes = encodeValue(value);
    t.is(bytes.buffer.byteLength, bytes.length);
    t.is(decodeValue(bytes), value);
  }
});

test('codec: decoding: leaves no mark on the bytes', (t) => {
  const bytes = encodeValue({ a: 1 });
  decodeValue(bytes);
  t.deepEqual(Object.keys(bytes), Array.from(bytes.keys(), String));
});

for (const [what, hex] of [
  ['nothing', ''],
  ['bytes that were cut', 'a26161016162820'.slice(0, 14)],
  ['bytes after the end', '0000'],
  ['an error of no known class', 'd996d88363466f6fa0a0'],
  ['a reference to a task', 'd996d200'],
] as const) {
  test(`codec: ${what} as a value: corrupt`, (t) => {
    const error = t.throws(() => decodeValue(Buffer.from(hex, 'hex')), { instanceOf: JugqError });
    t.is(error.code, 'VALUE_CORRUPT');
  });
}

test('codec: arguments with references anywhere: each place gets what its reference resolves to', (t) => {
  const task = new Point();
  const fn = (): number => 1;
  const refer = (value: object): unknown => (value === task ? 7 : value === fn ? 'fn' : undefined);
  const args = [
    task,
    { a: [task, -0], f: fn },
    new Map<unknown, unknown>([[task, task]]),
    new Set([task]),
  ];
  const asked: unknown[] = [];
  const resolve = (reference: unknown): unknown => {
    asked.push(reference);
    return [reference];
  };
  const back = decodeArguments(encodeArguments(args, refer), resolve);
  t.is(
    difference(back, [[7], { a: [[7], -0], f: ['fn'] }, new Map([[[7], [7]]]), new Set([[7]])]),
    undefined,
  );
  t.deepEqual(asked, [7, 7, 'fn', 7, 7, 7]);
});

test('codec: resolving a reference decodes another value: the arguments are not disturbed', (t) => {
  const stored = encodeValue({ v: 'x'.repeat(200) });
  const bytes = encodeArguments([[Point, 'between', Point]], (value) =>
    value === Point ? 'Point' : undefined,
  );
  const back = decodeArguments(bytes, () => decodeValue(stored));
  const value = { v: 'x'.repeat(200) };
  t.deepEqual(back, [[value, 'between', value]]);
});

test('codec: resolving throws: the error comes out as it is', (t) => {
  const bytes = encodeArguments([Point], () => 1);
  const missing = new JugqError('RESULT_MISSING', 'not there: task 1: wait');
  const error = t.throws(() =>
    decodeArguments(bytes, () => {
      throw missing;
    }),
  );
  t.is(error, missing);
});

test('codec: trailing undefined arguments: left out', (t) => {
  const bytes = encodeArguments([1, undefined, 2, undefined, undefined], noReference);
  t.deepEqual(decodeArguments(bytes, noReference), [1, undefined, 2]);
  t.deepEqual(encodeArguments([undefined], noReference), encodeArguments([], noReference));
});

test('codec: an argument that cannot be stored: its number and path', (t) => {
  const args = [1, { options: [{ name: Symbol('s') }] }];
  const error = t.throws(() => encodeArguments(args, noReference), { instanceOf: JugqError });
  t.is(error.message, 'a symbol cannot be stored: argument 2.options[0].name: use a text instead');
});

test('codec: an argument with its own [hashKey]: travels without it', (t) => {
  const bytes = encodeArguments([{ a: -0, [hashKey]: () => 'key' }], noReference);
  t.is(difference(decodeArguments(bytes, noReference), [{ a: -0 }]), undefined);
});

class Sample {
  readonly value = -0;
  readonly parts = [1n];
  #secret = 1;

  [hashKey](): unknown {
    return this.#secret;
  }
}

test('codec: an argument of a class with [hashKey]: its own properties travel', (t) => {
  const bytes = encodeArguments([[new Sample()]], noReference);
  t.is(difference(decodeArguments(bytes, noReference), [[{ value: -0, parts: [1n] }]]), undefined);
  t.throws(() => encodeValue(new Sample()), { message: /^an instance of Sample cannot be stored/ });
});

test('codec: an argument of a class with [hashKey] that extends a built-in one: refused', (t) => {
  class Table extends Map<string, number> {
    [hashKey](): unknown {
      return 1;
    }
  }
  for (const value of [new Table([['a', 1]]), new Proxy(new Sample(), {})]) {
    t.throws(() => encodeArguments([value], noReference), {
      message: /cannot be stored: argument 1/,
    });
  }
});

test('codec: arguments that are no list: corrupt', (t) => {
  const error = t.throws(() => decodeArguments(encodeValue(1), noReference), {
    instanceOf: JugqError,
  });
  t.is(error.code, 'VALUE_CORRUPT');
});
