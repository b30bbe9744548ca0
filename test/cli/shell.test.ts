/** `jugq shell` with lines on stdin, as a script or a pipe gives them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Typed {
  readonly status: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

/** Types lines at the prompt, and gives what is printed. */
async function typed(user: UserDirectory, lines: readonly string[]): Promise<Typed> {
  const program = join(user.path, 'node_modules', 'jugq', 'dist', 'cli', 'main.js');
  const child = spawn(process.execPath, [program, 'shell', 'jugfile.ts'], {
    cwd: user.path,
    env: user.env,
    stdio: 'pipe',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.end(`${lines.join('\n')}\n`);
  const [status] = (await once(child, 'close')) as unknown[];
  return { status, stdout, stderr };
}

test.serial('.exit among the lines: the prompt ends there', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const { status, stdout } = await typed(user, ['1 + 1', '.exit', '2 + 2']);
  t.is(status, 0);
  t.is(stdout, '2\n');
});

test.serial(
  'exports by name, values awaited at the top level, tasks by state and name',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    await user.run('run', 'jugfile.ts', '3');
    const { status, stdout, stderr } = await typed(user, [
      'await value(total)',
      'await value({ both: [total, total] })',
      '(await tasks()).length',
      "(await tasks({ state: 'finished', name: '=square' })).length",
      'const [first] = await tasks({ name: "sum" })',
      'await value(first)',
      '(await describe(first.id)).function',
      'Object.keys(exports).sort()',
    ]);
    t.is(status, 0, stderr);
    const shown = ['5', '{ both: [ 5, 5 ] }', '4', '3', '5', "'sum'", "[ 'args', 'total' ]", ''];
    t.is(stdout, shown.join('\n'));
  },
);

test.serial('invalidate: results go with what was made of them', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.run('run', 'jugfile.ts');
  const { stdout, stderr } = await typed(user, [
    "(await invalidate('=plus1')).tasks",
    "(await tasks({ state: 'finished' })).length",
    'await value(values).catch((error) => error.code)',
  ]);
  t.is(stdout, "24\n8\n'RESULT_MISSING'\n", stderr);
});

test.serial(
  'a promise of its own words: is shown when it is there; what they cannot mean is an error',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    await user.run('run', 'jugfile.ts', '3');
    const { status, stdout, stderr } = await typed(user, [
      'value(total)',
      '_ + 1',
      "tasks({ name: 'nothing' })",
      "value('total.abc')",
      "tasks({ state: 'done' })",
      "tasks({ nme: 'sum' })",
    ]);
    t.is(stdout, '5\n6\n[]\n', stderr);
    t.regex(
      stderr,
      /expected failed, blocked, waiting, ready, running, finished, cancelled, dropped, got done/,
    );
    t.regex(stderr, /expected state or name, got nme/);
    t.is(status, 1);
  },
);

test.serial('no tasks; a line may go on in the next; an error does not end it: 1', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const lines = ['await tasks()', 'nonsense', '[answer,', ']'];
  const { status, stdout, stderr } = await typed(user, lines);
  t.is(stdout, '[]\n[ 42 ]\n');
  t.regex(stderr, /ReferenceError: nonsense is not defined/);
  t.is(status, 1);
});
