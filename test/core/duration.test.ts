import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { formatDuration, parseDuration } from '../../core/duration.ts';
import { isJugqError } from '../../core/errors.ts';

test('duration: units alone and together: whole milliseconds', (t) => {
  const cases = {
    '500ms': 500,
    '30s': 30_000,
    '10m': 600_000,
    '1h30m': 5_400_000,
    '1.5h': 5_400_000,
  };
  for (const [text, ms] of Object.entries(cases)) t.is(parseDuration(text), ms, text);
  t.is(parseDuration(' 2d 1s '), 172_801_000);
  t.is(parseDuration('0s'), 0);
});

for (const text of [
  '',
  '10',
  '10x',
  'm',
  '-1s',
  '1m1h',
  '1s1s',
  '1e3s',
  '99999999999999999d',
  '1s junk',
]) {
  test(`duration: ${JSON.stringify(text)}: refused with an example`, (t) => {
    const error = t.throws(() => parseDuration(text));
    t.true(isJugqError(error, 'SETTINGS_INVALID'));
    t.is(error.message, `expected a duration such as 30s or 10m, got ${JSON.stringify(text)}`);
  });
}

test('duration: written for people: largest units first', (t) => {
  t.is(formatDuration(5_400_000), '1h30m');
  t.is(formatDuration(90_061_001), '1d1h1m1s1ms');
  t.is(formatDuration(0), '0s');
});

testProp(
  'duration: any duration written and read again: the same',
  [fc.integer({ min: 0, max: 2 ** 45 })],
  (t, ms) => {
    t.is(parseDuration(formatDuration(ms)), ms);
  },
);
