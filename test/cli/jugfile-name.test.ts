/** One file is one jugfile, however its path is typed. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { jugfileName, jugfilePath } from '../../cli/jugfile-name.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

test('the name is the path from the package.json, else from the working directory', async (t) => {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'jugq-name-')));
  t.teardown(() => rm(root, { recursive: true }));
  const deep = join(root, 'a', 'b');
  await mkdir(deep, { recursive: true });
  t.is(jugfileName(deep, 'jugfile.ts'), 'jugfile.ts');
  t.is(jugfileName(deep, './x/../jugfile.ts'), 'jugfile.ts');
  t.is(jugfilePath(deep, 'jugfile.ts'), 'jugfile.ts');
  await writeFile(join(root, 'package.json'), '{}');
  for (const typed of ['../b/jugfile.ts', 'jugfile.ts', join(deep, 'jugfile.ts')])
    t.is(jugfileName(deep, typed), 'a/b/jugfile.ts');
  t.is(jugfilePath(deep, 'a/b/jugfile.ts'), 'jugfile.ts');
  t.is(jugfilePath(deep, 'a/jugfile.ts'), join('..', 'jugfile.ts'));
  t.is(jugfileName(root, 'jugfile.ts'), 'jugfile.ts');
  t.is(jugfileName(root, '../other/jugfile.ts'), '../other/jugfile.ts');
});

test.serial('get takes the arguments of the newest run, however the file is named', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.run('run', './jugfile.ts', '2');
  for (const typed of ['jugfile.ts', './jugfile.ts', join(user.path, 'jugfile.ts')])
    t.is(await user.json('get', typed, 'total'), 1);
  await mkdir(join(user.path, 'sub'));
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [program, 'get', '../jugfile.ts', 'total'],
    { cwd: join(user.path, 'sub'), env: user.env },
  );
  t.is(stdout, '1\n');
});

test.serial('a plan of the file under another path is one of the same jugfile', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const first = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts', '6');
  const second = await user.run('plan', '--json', './jugfile.ts', '5');
  t.true(
    second.stderr.includes(
      `run ${first.run} of the same jugfile, with other arguments, is still active`,
    ),
  );
  const third = await user.run('plan', '--replace', join(user.path, 'jugfile.ts'), '4');
  t.true(third.stderr.includes(`run ${first.run} of the same jugfile is cancelled\n`));
});

test.serial('cleanup: a run of the file under another path overtakes the older one', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.run('run', './jugfile.ts', '2');
  await user.run('run', 'jugfile.ts', '2');
  t.like(await user.json('cleanup', '--dry-run', '--json'), { runs: 1 });
  await user.write('jugfile.ts', 'export const nothing = 1;');
  const report = await user.json('cleanup', '--dry-run', '--json', './jugfile.ts', '--', '2');
  t.like(report, { results: 3 });
});
