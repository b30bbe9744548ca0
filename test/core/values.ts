/** Values of every kind that jugq hashes and stores, for property tests. */
import fc from 'fast-check';

const typedArrayTypes = [
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigUint64Array,
  BigInt64Array,
];

/** Any sequence of 16-bit units, surrogates alone among them, with a byte order mark at times. */
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 }).map(fromUnits),
  fc.string({ maxLength: 300 }).map((text) => `\ufeff${text}`),
  fc.constantFrom('\ud800', '\udfff', 'a\ud83d', '\ufffd', '\ufeff', '__proto__', 'constructor'),
);

function fromUnits(units: readonly number[]): string {
  return String.fromCharCode(...units);
}

const anyNumber = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, NaN, Infinity, -Infinity, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, 2 ** 64),
);

const anyBigint = fc.oneof(
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
  fc.bigInt({ min: -(2n ** 700n), max: 2n ** 700n }),
  fc.constantFrom(0n, -1n, 2n ** 53n, 2n ** 64n - 1n, 2n ** 64n, -(2n ** 64n), -(2n ** 64n) - 1n),
);

const anyPrimitive = fc.oneof(
  anyText,
  anyNumber,
  anyBigint,
  fc.boolean(),
  fc.constantFrom(null, undefined),
);

const anyDate = fc.oneof(
  fc.date({ noInvalidDate: false }),
  fc.integer({ min: -8.64e15, max: 8.64e15 }).map((time) => new Date(time)),
);

const anyRegExp = fc
  .tuple(
    fc.constantFrom('', 'a/b', '[/]', '\\d+', '(?:)', '\ud800', '\ufeff', 'ü'),
    fc.subarray(['d', 'g', 'i', 'm', 's', 'u', 'y']),
    fc.nat(5),
  )
  .map(([source, flags, lastIndex]) =>
    Object.assign(new RegExp(source, flags.join('')), { lastIndex }),
  );

const anyBytes = fc.uint8Array({ maxLength: 40 });

/** Of each type, over a whole buffer or over a part of a larger one. */
const anyTypedArray = fc
  .tuple(fc.constantFrom(...typedArrayTypes), anyBytes, fc.nat(2))
  .map(([type, bytes, skipped]) => {
    const size = type.BYTES_PER_ELEMENT;
    const buffer = new ArrayBuffer(size * (skipped + 5));
    new Uint8Array(buffer).set(bytes.subarray(0, buffer.byteLength));
    return new type(buffer, size * skipped, 3);
  });

const anyBinary = fc.oneof(
  anyTypedArray,
  anyBytes.map((bytes) => Buffer.from(bytes)),
  anyBytes.map((bytes) => new Uint8Array(bytes).buffer),
  anyBytes.map((bytes) => new DataView(new Uint8Array(bytes).buffer, bytes.length >> 1)),
);

const anyUrl = fc
  .webUrl({ withQueryParameters: true, withFragments: true })
  .map((url) => new URL(url));

const anyLeaf = fc.oneof(
  { arbitrary: anyPrimitive, weight: 8 },
  { arbitrary: anyBinary, weight: 2 },
  anyDate,
  anyRegExp,
  anyUrl,
);

const errorTypes = [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];

function anyError(inside: fc.Arbitrary<unknown>): fc.Arbitrary<Error> {
  return fc
    .record({
      type: fc.constantFrom(...errorTypes),
      message: fc.option(anyText, { nil: undefined }),
      options: fc.option(fc.record({ cause: inside }), { nil: undefined }),
      extra: fc.record({ code: inside, name: anyText }, { requiredKeys: [] }),
    })
    .map(({ type, message, options, extra }) => Object.assign(new type(message, options), extra));
}

function anyObject(inside: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  return fc
    .tuple(
      fc.uniqueArray(anyText, { maxLength: 5 }),
      fc.array(inside, { minLength: 5 }),
      fc.boolean(),
    )
    .map(([keys, items, bare]) => {
      const object = (bare ? Object.create(null) : {}) as object;
      keys.forEach((key, i) => {
        Object.defineProperty(object, key, {
          value: items[i],
          enumerable: true,
          writable: true,
          configurable: true,
        });
      });
      return object;
    });
}

function anyContainer(inside: fc.Arbitrary<unknown>): fc.Arbitrary<object> {
  return fc.oneof(
    fc.array(inside, { maxLength: 6 }),
    anyObject(inside),
    fc.array(fc.tuple(inside, inside), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(inside, { maxLength: 4 }).map((items) => new Set(items)),
    anyError(inside),
    fc.array(inside, { maxLength: 2 }).map((errors) => new AggregateError(errors, 'several')),
  );
}

/** Any value at all. */
export const anyValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    { arbitrary: anyLeaf, weight: 3 },
    { arbitrary: anyContainer(tie('value')), weight: 2 },
  ),
})).value;

/** Values from so small a world that equal and nearly equal ones meet often. */
export const smallValue: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(0, -0, 1, 1n, '1', '', 'a', null, undefined, true, NaN, 0.5),
    fc.constantFrom<unknown>(new Date(1), new Uint8Array([1]), new Int8Array([1]), /a/, /a/g),
    fc.array(tie('value'), { maxLength: 2 }),
    fc.dictionary(fc.constantFrom('a', 'b'), tie('value'), { maxKeys: 2, noNullPrototype: true }),
    fc
      .array(fc.tuple(fc.constantFrom('a', 1), tie('value')), { maxLength: 2 })
      .map((entries) => new Map(entries)),
    fc.array(fc.constantFrom(1, 'a', null), { maxLength: 2 }).map((items) => new Set(items)),
  ),
})).value;
