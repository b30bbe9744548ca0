/** The document of the commands says what the commands say. */
import { readFile } from 'node:fs/promises';
import test from 'ava';
import { commandNames, loadCommand } from '../cli/command-list.ts';
import { commandsDocument } from './kit/commands-document.ts';

test('docs/commands.md: what the help of each command prints now', async (t) => {
  const written = await readFile(new URL('../docs/commands.md', import.meta.url), 'utf8');
  t.is(written, await commandsDocument(), 'it is stale: run npm run docs');
});

test('commands: each is found under the name by which it is called', async (t) => {
  for (const name of commandNames) {
    const { paths } = await loadCommand(name);
    t.deepEqual(paths, [[name]]);
  }
});
