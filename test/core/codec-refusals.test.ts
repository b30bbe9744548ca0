import test from 'ava';
import { hashKey } from '../../core/canonical.ts';
import { decodeValue, encodeValue } from '../../core/codec.ts';
import { JugqError } from '../../core/errors.ts';
import { difference } from './difference.ts';

class Point {
  x = 1;
}
class HttpError extends Error {}

const cycle: { list: unknown[] } = { list: [] };
cycle.list.push({ back: cycle });
const selfMap = new Map<string, unknown>();
selfMap.set('me', selfMap);

function throwing(): never {
  throw new Error('never read');
}

const refused: Readonly<Record<string, readonly [value: unknown, path: string, what: RegExp]>> = {
  'a function': [{ rows: [0, 1, 2, throwing] }, 'result.rows[3]', /^a function /],
  'a symbol': [[Symbol('s')], 'result[0]', /^a symbol /],
  'an instance of a class': [{ p: new Point() }, 'result.p', /^an instance of Point /],
  'an error of a class of its own': [
    [new HttpError('h')],
    'result[0]',
    /^an instance of HttpError /,
  ],
  'a Promise': [{ 'odd key': Promise.resolve(1) }, 'result["odd key"]', /^a Promise .*await/],
  'a WeakMap': [new WeakMap(), 'result', /^an instance of WeakMap /],
  'a boxed number': [[Object(1)], 'result[0]', /^a boxed primitive \(new Number/],
  'an iterator': [[[].values(), 1], 'result[0]', /^an iterator /],
  'an object made from another': [Object.create({ a: 1 }), 'result', /prototype of its own/],
  'a hole': [{ a: [1, , 3] }, 'result.a[1]', /^a hole in an array /],
  'a trailing hole': [new Array(2), 'result[0]', /^a hole in an array /],
  'an extra property of a short array': [Object.assign([1], { x: 1 }), 'result', /property "x"/],
  'an extra property of a long array': [
    Object.assign(new Array(1000).fill(0), { x: 1 }),
    'result',
    /property "x"/,
  ],
  'an array of a class': [[new (class Stack extends Array {})()], 'result[0]', /array of Stack/],
  'an array that is too long to read': [new Array(112_810_001), 'result', /more than 112810000 /],
  'an extra property of a typed array': [
    Object.assign(new Uint8Array(2), { x: 1 }),
    'result',
    /property "x"/,
  ],
  'an extra property of a Map': [
    { m: Object.assign(new Map(), { x: 1 }) },
    'result.m',
    /Map with the property "x"/,
  ],
  'a symbol as a key': [{ a: { [Symbol('k')]: 1 } }, 'result.a', /key Symbol\(k\)/],
  'a [hashKey] on a result': [{ [hashKey]: () => 1 }, 'result', /hashKey/],
  'a getter': [
    {
      get a() {
        return 1;
      },
    },
    'result.a',
    /getter/,
  ],
  'a throwing getter': [
    {
      list: [
        {
          get a() {
            return throwing();
          },
        },
      ],
    },
    'result.list[0].a',
    /getter/,
  ],
  'a getter on an error': [
    Object.defineProperty(new Error('e'), 'code', { get: throwing, enumerable: true }),
    'result.code',
    /getter/,
  ],
  'a throwing getter on an index': [
    { a: Object.defineProperty([1], 0, { get: throwing, enumerable: true }) },
    'result.a',
    /never read/,
  ],
  'a proxy that throws': [
    { p: new Proxy({}, { getPrototypeOf: throwing }) },
    'result.p',
    /never read/,
  ],
  'a hidden property': [Object.defineProperty({}, 'h', { value: 1 }), 'result.h', /not enumerable/],
  'a cycle': [cycle, 'result.list[0].back', /^a cycle /],
  'a cycle through a Map': [{ m: selfMap }, 'result.m.get("me")', /^a cycle /],
  'a fault in the key of a Map': [new Map([[Symbol('k'), 1]]), 'result (key 0)', /^a symbol /],
  'a fault in a Set': [new Set([1, throwing]), 'result (item 1)', /^a function /],
  'a fault in a cause': [new Error('e', { cause: throwing }), 'result.cause', /^a function /],
  'shared memory': [new Uint8Array(new SharedArrayBuffer(1)), 'result', /^shared memory /],
  'memory that was transferred': [transferred(), 'result', /transferred/],
  'a resizable buffer': [
    Reflect.construct(ArrayBuffer, [1, { maxByteLength: 2 }]),
    'result',
    /^a resizable ArrayBuffer /,
  ],
};

function transferred(): Uint8Array {
  const bytes = new Uint8Array(3);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

for (const [what, [value, path, text]] of Object.entries(refused)) {
  test(`codec: ${what}: refused, with its place and what to do`, (t) => {
    const error = t.throws(() => encodeValue(value), { instanceOf: JugqError });
    t.is(error.code, 'VALUE_NOT_STORABLE');
    t.regex(error.message, text);
    t.true(error.message.includes(` stored: ${path}: `) || error.message.includes(`: ${path}: `));
    t.is(error.fields['path'], path);
  });
}

test('codec: 10,000 levels of any container: refused as too deep', (t) => {
  for (const wrap of containers) {
    const error = t.throws(() => encodeValue(nested(wrap, 10_000)), { instanceOf: JugqError });
    t.is(error.code, 'VALUE_NOT_STORABLE');
    t.regex(error.message, /^a value nested deeper than 256 levels cannot be stored: result/);
    t.true(error.message.length < 800);
  }
});

test('codec: 255 levels of any container: there and back', (t) => {
  for (const wrap of containers) {
    const value = nested(wrap, 255);
    t.is(difference(value, decodeValue(encodeValue(value))), undefined);
  }
});

const containers: readonly ((inside: unknown) => object)[] = [
  (inside) => [inside],
  (inside) => ({ inside }),
  (inside) => new Map([['inside', inside]]),
  (inside) => new Set([inside]),
  (inside) => Object.assign(Object.create(null) as object, { inside }),
  (inside) => ({ '\ud800': inside }),
  (inside) => new Error('outside', { cause: inside }),
];

function nested(wrap: (inside: unknown) => object, levels: number): unknown {
  let value: unknown = -0;
  for (let level = 0; level < levels; level++) value = wrap(value);
  return value;
}
