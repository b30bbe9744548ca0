import test from 'ava';
import { markLines } from '../../worker/user-output.ts';

test('output: a long line is cut into pieces that a pipe takes whole, each of them marked', (t) => {
  const line = '\u{1F600}'.repeat(5000);
  const marked = markLines(`short\n${line}\n`, 'f.abc');
  const lines = marked.trimEnd().split('\n');
  t.is(lines[0], '[f.abc] short');
  for (const each of lines) {
    t.true(each.startsWith('[f.abc] '));
    t.true(Buffer.byteLength(each) < 4096);
  }
  t.is(
    lines
      .slice(1)
      .map((each) => each.slice('[f.abc] '.length))
      .join(''),
    line,
  );
});

test('output: an empty line is marked, too', (t) => {
  t.is(markLines('a\n\nb', 'm'), '[m] a\n[m] \n[m] b\n');
});
