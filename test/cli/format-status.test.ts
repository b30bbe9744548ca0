import test from 'ava';
import { formatBusy } from '../../cli/format-status.ts';

test('a worker whose threads have several tasks each in hand: as many threads are busy as there are', (t) => {
  t.is(formatBusy({ running: { step: 3, sum: 2 }, threads: 1 }), '1 of 1 threads busy');
  t.is(formatBusy({ running: { step: 1, sum: 0 }, threads: 4 }), '1 of 4 threads busy');
  t.is(formatBusy({ running: {}, threads: 2 }), '0 of 2 threads busy');
});
