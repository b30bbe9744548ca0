import test from 'ava';
import { normaliseMessage } from '../../core/failure-causes.ts';

test('causes: what differs from task to task is left out of a message', (t) => {
  for (const [message, normalised] of [
    ['row 17 of "a b" is -3.5e7', 'row N of "…" is N'],
    ["ENOENT: no such file, open '/tmp/x/1.png'", 'ENOENT: no such file, open "…"'],
    ['cannot read /tmp/x-1/y.png twice', 'cannot read … twice'],
    ['cannot read C:\\data\\a.csv', 'cannot read …'],
    ['object 0xDEADBEEF of 550e8400-e29b-41d4-a716-446655440000', 'object … of …'],
    ['timed out after 10 ms', 'timed out after N ms'],
    ['a decade of effaced facades', 'a decade of effaced facades'],
  ] as const) {
    t.is(normaliseMessage(message), normalised);
  }
});
