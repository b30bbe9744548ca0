import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { fromBase32 } from '../../core/base32.ts';
import { isJugqError } from '../../core/errors.ts';
import { hashBytes } from '../../core/hash-index.ts';
import { splitTaskId, taskId, type RunId } from '../../core/identifiers.ts';
import {
  decodeInputs,
  decodeParcel,
  encodeInputs,
  encodeParcel,
  type Parcel,
  type ParcelFunction,
} from '../../core/parcel.ts';
import { toBase32 } from '../../core/base32.ts';
import { pack } from '../../core/wire.ts';

const anyName = fc.stringMatching(/^[A-Za-z0-9_/-]{1,20}$/);
const anyHash = fc.uint8Array({ minLength: hashBytes, maxLength: hashBytes });
const anyRevision = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const anyId = fc.tuple(anyName, anyHash).map(([name, hash]) => taskId(name, toBase32(hash)));

const anyInput = fc.record({ id: anyId, revision: anyRevision });

const anyBlob = fc.record({ blob: fc.string(), size: fc.nat(), digest: fc.string() });

const anyFunction = fc
  .record({
    name: anyName,
    fingerprint: fc.string(),
    retries: fc.nat(),
    timeoutMs: fc.option(fc.integer({ min: 1 })),
  })
  .map(({ timeoutMs, ...facts }): ParcelFunction => ({
    ...facts,
    ...(timeoutMs === null ? {} : { timeoutMs }),
  }));

const anyTask = fc
  .record({
    hash: anyHash,
    expects: anyRevision,
    failureExpects: anyRevision,
    attempt: fc.integer({ min: 1, max: 1000 }),
    arguments: fc.oneof(fc.uint8Array(), anyBlob),
    listed: fc.oneof(
      fc.record({ inputs: fc.array(anyInput, { maxLength: 4 }) }),
      fc.record({ inputs: fc.constant([]), inputsElsewhere: anyBlob }),
    ),
  })
  .map(({ listed, ...task }) => ({ ...task, ...listed }));

const anyParcel = fc
  .record({
    run: fc.constant('01ARZ3NDEKTSV4RRFFQ69G5FAV' as RunId),
    code: fc.string(),
    quick: fc.boolean(),
    failFast: fc.boolean(),
    taken: fc.boolean(),
    functions: fc.array(anyFunction, { minLength: 1, maxLength: 3 }),
    tasks: fc.array(fc.tuple(fc.nat(), anyTask), { minLength: 1, maxLength: 4 }),
  })
  .map(({ functions, tasks, ...facts }): Parcel => ({
    ...facts,
    tasks: tasks.flatMap(([at, { hash, ...task }]) => {
      const fn = functions[at % functions.length];
      return fn === undefined ? [] : [{ ...task, fn, id: taskId(fn.name, toBase32(hash)) }];
    }),
  }));

function encode({ tasks, ...facts }: Parcel): Uint8Array {
  return encodeParcel(
    facts,
    tasks.map(({ id, ...task }) => {
      const hash = new Uint8Array(hashBytes);
      fromBase32(splitTaskId(id).hash, hash, 0);
      return { ...task, hash };
    }),
  );
}

testProp('parcel: written and read: the same', [anyParcel], (t, parcel) => {
  const read = decodeParcel(encode(parcel));
  // Byte strings come back as views of whatever class the message has.
  const plain = read.tasks.map((task) => ({
    ...task,
    arguments:
      task.arguments instanceof Uint8Array ? new Uint8Array(task.arguments) : task.arguments,
  }));
  t.deepEqual({ ...read, tasks: plain }, parcel);
});

testProp(
  'parcel: cut anywhere: refused as corrupt',
  [anyParcel, fc.double({ min: 0, max: 0.9999, noNaN: true })],
  (t, parcel, share) => {
    const bytes = encode(parcel);
    const error = t.throws(() => decodeParcel(bytes.subarray(0, Math.floor(bytes.length * share))));
    t.true(isJugqError(error, 'VALUE_CORRUPT'));
  },
);

testProp('parcel: bytes that are none: refused', [fc.uint8Array()], (t, bytes) => {
  const error = t.throws(() => decodeParcel(bytes));
  t.true(isJugqError(error, 'VALUE_CORRUPT') || isJugqError(error, 'FORMAT_UNKNOWN'));
});

const aFunction = ['f', 'print', 0, 0];
const facts = [2, 'run', 'code', false, false, false, [aFunction]];
const hash = new Uint8Array(hashBytes);
for (const [what, message] of [
  ['no array', { format: 2 }],
  ['nothing but its format', [2]],
  ['no tasks', [...facts, []]],
  ['a task that is none', [...facts, [null]]],
  ['a hash that is too short', [...facts, [[0, new Uint8Array(3), 0, 0, 1, new Uint8Array(), []]]]],
  ['a function that is no name', [...facts.slice(0, 6), [[7, 'print', 0, 0]], [[0, hash]]]],
  ['a function that it does not have', [...facts, [[1, hash, 0, 0, 1, new Uint8Array(), []]]]],
  ['inputs that are none', [...facts, [[0, hash, 0, 0, 1, new Uint8Array()]]]],
] as const) {
  test(`parcel: a message with ${what}: refused as corrupt`, (t) => {
    const error = t.throws(() => decodeParcel(pack(message)));
    t.true(isJugqError(error, 'VALUE_CORRUPT'));
  });
}

test('parcel: a format of another version: refused with both versions', (t) => {
  const error = t.throws(() => decodeParcel(pack([3, ...facts.slice(1), []])));
  t.true(isJugqError(error, 'FORMAT_UNKNOWN'));
  t.regex(error.message, /^a queue message has format 3, this jugq reads format 2/);
});

testProp('list of inputs: written and read: the same', [fc.array(anyInput)], (t, inputs) => {
  t.deepEqual(decodeInputs(encodeInputs(inputs)), inputs);
});

test('list of inputs: a format of another version: refused with both versions', (t) => {
  const error = t.throws(() => decodeInputs(pack([9])));
  t.true(isJugqError(error, 'FORMAT_UNKNOWN'));
});
