import { testProp } from '@fast-check/ava';
import test from 'ava';
import fc from 'fast-check';
import { fromBase32, toBase32 } from '../../core/base32.ts';
import { isJugqError } from '../../core/errors.ts';

test('base32: the vector of RFC 4648 for five bytes, four times: its text in lower case', (t) => {
  const bytes = Buffer.from('fooba'.repeat(4));
  t.is(toBase32(bytes), 'mzxw6ytb'.repeat(4));
});

test('base32: all bits clear and all bits set: the first and the last character', (t) => {
  t.is(toBase32(new Uint8Array(20)), 'a'.repeat(32));
  t.is(toBase32(new Uint8Array(20).fill(255)), '7'.repeat(32));
});

test('base32: an offset: the 20 bytes from there on, and nothing around them is touched', (t) => {
  const bytes = Uint8Array.from({ length: 60 }, (_, i) => i);
  const text = toBase32(bytes, 20);
  t.is(text, toBase32(bytes.slice(20, 40)));
  const into = new Uint8Array(24).fill(9);
  fromBase32(text, into, 2);
  t.deepEqual([...into], [9, 9, ...bytes.slice(20, 40), 9, 9]);
});

testProp(
  'base32: any 20 bytes there and back: the same bytes, in 32 characters of the alphabet',
  [fc.uint8Array({ minLength: 20, maxLength: 20 })],
  (t, bytes) => {
    const text = toBase32(bytes);
    t.regex(text, /^[a-z2-7]{32}$/);
    const back = new Uint8Array(20);
    fromBase32(text, back, 0);
    t.deepEqual(back, bytes);
  },
);

for (const text of [
  '',
  'a'.repeat(31),
  'a'.repeat(33),
  `${'a'.repeat(31)}A`,
  `${'a'.repeat(31)}é`,
]) {
  test(`base32: ${JSON.stringify(text)} is no hash: refused`, (t) => {
    const error = t.throws(() => {
      fromBase32(text, new Uint8Array(20), 0);
    });
    t.true(isJugqError(error, 'BUG'));
  });
}

test('base32: fewer than 20 bytes: refused', (t) => {
  const error = t.throws(() => toBase32(new Uint8Array(30), 11));
  t.true(isJugqError(error, 'BUG'));
});
