/** The file of `jugq export`: it has its name only when it is whole. */
import {
  chmod,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  createPortable,
  readPortable,
  type PortableRecord,
  type PortableWriter,
} from '../../cli/portable-file.ts';

async function directory(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'jugq-portable-'));
  t.teardown(() => rm(path, { recursive: true }));
  return path;
}

const head: PortableRecord = ['head', 'p', '2026-01-01T00:00:00.000Z'];
const chunk: PortableRecord = ['chunk', Buffer.alloc(200_000, 1)];

async function read(file: string): Promise<string[]> {
  const kinds: string[] = [];
  for await (const [kind] of readPortable(file, process.stdin)) kinds.push(kind);
  return kinds;
}

/** An older file, and a new one of which not all is written. */
async function half(
  t: ExecutionContext,
  name: string,
): Promise<{ readonly path: string; readonly file: string; readonly writer: PortableWriter }> {
  const path = await directory(t);
  const file = join(path, name);
  await writeFile(file, 'older');
  const writer = await createPortable(file, process.stdout);
  await writer.write(head);
  await writer.write(chunk);
  return { path, file, writer };
}

for (const name of ['x.jugq', 'x.jugq.gz']) {
  test(`${name}: until it is whole the older file stands, and after that only the new one`, async (t) => {
    const { path, file, writer } = await half(t, name);
    t.is(await readFile(file, 'utf8'), 'older');
    await writer.end();
    t.deepEqual(await read(file), ['head', 'chunk']);
    t.deepEqual(await readdir(path), [name]);
  });

  test(`${name}, discarded: the older file as it was, and nothing beside it`, async (t) => {
    const { path, file, writer } = await half(t, name);
    await writer.discard();
    t.is(await readFile(file, 'utf8'), 'older');
    t.deepEqual(await readdir(path), [name]);
  });
}

test('a link stays one, and who could not read the older file cannot read the new one', async (t) => {
  const path = await directory(t);
  const [file, link] = [join(path, 'x.jugq'), join(path, 'link.jugq')];
  await writeFile(file, 'older');
  await chmod(file, 0o600);
  await symlink('x.jugq', link);
  const writer = await createPortable(link, process.stdout);
  await writer.write(head);
  await writer.end();
  t.true((await lstat(link)).isSymbolicLink());
  t.deepEqual(await read(file), ['head']);
  t.is((await stat(file)).mode & 0o777, 0o600);
});

test('what is no file is written to, not replaced', async (t) => {
  const writer = await createPortable('/dev/null', process.stdout);
  await writer.write(head);
  await writer.end();
  t.true((await stat('/dev/null')).isCharacterDevice());
});
