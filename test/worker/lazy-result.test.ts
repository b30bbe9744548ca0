import { createHash, randomBytes } from 'node:crypto';
import test from 'ava';
import { encodeValue } from '../../core/codec.ts';
import type { References } from '../../core/references.ts';
import type { Lazy, Streamed } from '../../core/wrapped.ts';
import { lazyResult } from '../../worker/lazy-result.ts';
import type { ResultReader } from '../../worker/thread-link.ts';

const id = 'f.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa';
const nothingElse: References = {
  input: () => undefined,
  functionNamed: () => () => undefined,
};

/** Gives the CBOR of a value in pieces of this size, and counts how many were asked for. */
function pieces(bytes: Uint8Array, size: number): ResultReader & { readonly asked: number } {
  let asked = 0;
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
  return {
    get asked() {
      return asked;
    },
    read: () => Promise.resolve([undefined]),
    readPiece: (_id, place) => {
      asked++;
      const from = place?.after ?? 0;
      const after = from + size;
      const next =
        after < bytes.length
          ? { name: 'blob', nuid: 'n', chunks: 1, after, left: bytes.length - after }
          : undefined;
      return Promise.resolve({ bytes: bytes.subarray(from, after), next, digest });
    },
  };
}

function handleOf(
  reader: ResultReader,
  lazy: number | { of: number; steps: string[] } = 0,
): Lazy<Streamed> {
  return lazyResult({ lazy, id }, nothingElse, reader) as Lazy<Streamed>;
}

async function all(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const got: Uint8Array[] = [];
  for await (const piece of stream) got.push(piece);
  return Buffer.concat(got);
}

const numbers = Float64Array.of(1.5, -2.5, Infinity);
const streamed: readonly (readonly [string, unknown, Uint8Array])[] = [
  ['a Uint8Array', Uint8Array.of(1, 2, 3), Uint8Array.of(1, 2, 3)],
  ['a Buffer', Buffer.alloc(70_000, 'ab'), Buffer.alloc(70_000, 'ab')],
  ['an ArrayBuffer', Uint8Array.of(4, 5).buffer, Uint8Array.of(4, 5)],
  ['floats', numbers, new Uint8Array(numbers.buffer)],
  ['a text', 'häh '.repeat(100), Buffer.from('häh '.repeat(100))],
  ['nothing', new Uint8Array(), new Uint8Array()],
];
for (const [what, value, content] of streamed) {
  test(`stream: ${what}: its bytes, however it is cut`, async (t) => {
    const bytes = encodeValue(value);
    for (const size of [16, 17, 1000, bytes.length]) {
      const got = await all(handleOf(pieces(bytes, size)).stream());
      t.true(got.equals(content), size.toString());
    }
  });
}

test('stream: what is read ahead is one piece, however large the whole', async (t) => {
  const value = new Uint8Array(randomBytes(1_000_000));
  const reader = pieces(encodeValue(value), 1000);
  let taken = 0;
  for await (const piece of handleOf(reader).stream()) {
    taken++;
    t.true(reader.asked - taken <= 1 && piece.length <= 1000);
  }
  t.is(taken, 1001);
});

test('stream: of any other value, and of a text that UTF-8 cannot hold: an error that says to load it', async (t) => {
  for (const value of [
    [1, 2],
    { a: 'x' },
    3,
    null,
    undefined,
    new Map(),
    'half \ud800',
    new Date(),
  ]) {
    const stream = handleOf(pieces(encodeValue(value), 100)).stream();
    const error = await t.throwsAsync(all(stream));
    t.regex(
      error.message,
      /only a text or an array of bytes can be read piece by piece, and f\..*load\(\) it/,
    );
  }
});

test('stream: a part is loaded as a whole; one that is neither text nor bytes: an error', async (t) => {
  const bytes = encodeValue({ a: 'xyz', b: [1] });
  const partAt = (key: string): Lazy<Streamed> =>
    handleOf(pieces(bytes, 10), { of: 0, steps: [key] });
  t.is((await all(partAt('a').stream())).toString(), 'xyz');
  await t.throwsAsync(all(partAt('b').stream()), { message: /this part of one is neither/ });
});

test('stream: bytes that were changed on the way: the pieces, then an error', async (t) => {
  const bytes = encodeValue(Buffer.alloc(1000, 'a'));
  const reader = pieces(bytes, 100);
  const changed = Uint8Array.from(bytes, (each, at) => (at === 500 ? 0 : each));
  const damaged: ResultReader = {
    ...reader,
    readPiece: async (of, next) => {
      const piece = await reader.readPiece(of, next);
      const from = next?.after ?? 0;
      return piece && { ...piece, bytes: changed.subarray(from, from + 100) };
    },
  };
  let length = 0;
  const error = await t.throwsAsync(async () => {
    for await (const piece of handleOf(damaged).stream()) length += piece.length;
  });
  t.is(length, 1000);
  t.regex(error.message, /is not what was stored/);
});

test('load and stream: a result that is gone: an error that says so', async (t) => {
  const none: ResultReader = {
    read: () => Promise.resolve([undefined]),
    readPiece: () => Promise.resolve(undefined),
  };
  await t.throwsAsync(handleOf(none).load(), { message: /has no result any more/ });
  await t.throwsAsync(all(handleOf(none).stream()), { message: /has no result any more/ });
});

test('load: a replica that does not have it yet is not the last word', async (t) => {
  t.deepEqual(await handleOf(pieces(encodeValue([1, 2, 3]), 2)).load(), [1, 2, 3]);
});
