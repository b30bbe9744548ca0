import { Writable } from 'node:stream';
import test from 'ava';
import type { OutputStream } from '../../cli/commands/base.ts';
import { startDisplay } from '../../cli/live-display.ts';

/** A terminal of which the lines are kept as a person would see them; it knows what the display sends. */
function terminal(height = 24): {
  readonly stream: OutputStream;
  readonly lines: () => string[];
} {
  const rows: string[] = [''];
  let at = 0;
  const type = (text: string): void => {
    for (const [piece] of text.matchAll(/\x1b\[[?\d]*[A-Za-z]|\n|[^\x1b\n]+/g)) {
      const up = /^\x1b\[(\d+)A$/.exec(piece)?.[1];
      const down = /^\x1b\[(\d+)B$/.exec(piece)?.[1];
      if (piece === '\n') {
        at++;
        rows[at] ??= '';
      } else if (piece === '\x1b[2K') rows[at] = '';
      else if (up !== undefined) at = Math.max(0, at - Number(up));
      else if (down !== undefined) at += Number(down);
      else if (!piece.startsWith('\x1b')) rows[at] = (rows[at] ?? '') + piece;
    }
  };
  const sink = new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      type(String(chunk));
      done();
    },
  });
  const stream = Object.assign(sink, { isTTY: true, columns: 80, rows: height });
  return { stream, lines: () => rows.slice(0, rows.findLastIndex((each) => each !== '') + 1) };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('what others write to the stream stands above the display, whole', async (t) => {
  const { stream, lines } = terminal();
  const display = startDisplay(stream);
  display.paint('a 0/2\nb 0/2\ntotal 0');
  stream.write('hello 1\nhello 2\n');
  await turn();
  t.deepEqual(lines(), ['hello 1', 'hello 2', 'a 0/2', 'b 0/2', 'total 0']);
  display.paint('a 1/2\nb 0/2\ntotal 1');
  stream.write('hel');
  await turn();
  t.deepEqual(lines(), ['hello 1', 'hello 2', 'a 1/2', 'b 0/2', 'total 1']);
  stream.write('lo 3\n');
  display.paint('a 2/2\nb 0/2\ntotal 2');
  display.end();
  t.deepEqual(lines(), ['hello 1', 'hello 2', 'hello 3', 'a 2/2', 'b 0/2', 'total 2']);
});

test('after the end of the display the stream is as it was', async (t) => {
  const { stream, lines } = terminal();
  const display = startDisplay(stream);
  display.paint('total 0');
  stream.write('no end of line');
  display.end();
  stream.write('after\n');
  await turn();
  t.deepEqual(lines(), ['total 0', 'no end of line', 'after']);
});

test('a terminal that says that it has no rows gets the display all the same', (t) => {
  const { stream, lines } = terminal(0);
  const display = startDisplay(stream);
  display.paint('a 1/2\ntotal 1');
  t.deepEqual(lines(), ['a 1/2', 'total 1']);
  display.end();
});

test('whoever waits for a write is told', async (t) => {
  const { stream } = terminal();
  const display = startDisplay(stream);
  await new Promise<void>((resolve) => {
    stream.write('', () => {
      resolve();
    });
  });
  display.end();
  t.pass();
});
