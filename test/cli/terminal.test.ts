import { Writable } from 'node:stream';
import test from 'ava';
import type { OutputStream } from '../../cli/commands/base.ts';
import { canRepaint } from '../../cli/terminal.ts';

const file: OutputStream = new Writable();
const terminal: OutputStream = Object.assign(new Writable(), { isTTY: true });

test('a terminal can be painted again; a file, a dumb terminal and the log of a build cannot', (t) => {
  t.true(canRepaint(terminal, { TERM: 'xterm' }));
  t.true(canRepaint(terminal, { TERM: 'xterm', CI: 'false' }));
  t.false(canRepaint(file, { TERM: 'xterm' }));
  t.false(canRepaint(terminal, { TERM: 'dumb' }));
  t.false(canRepaint(terminal, { TERM: 'xterm', CI: 'true' }));
});
