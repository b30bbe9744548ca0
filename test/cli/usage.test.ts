/** Calls that cannot be meant: one error each, which says how the command is called. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { userDirectory, type Finished, type UserDirectory } from '../kit/cli.ts';

let user: UserDirectory;

test.before(async () => {
  user = await userDirectory(
    {
      'jugfile.ts': "export { nothing } from './nothing.ts';",
      'nothing.ts': 'export const nothing = 1;',
    },
    { JUGQ_SERVER: 'nats://127.0.0.1:1' },
  );
});

test.after.always(() => user[Symbol.asyncDispose]());

/** One line on stderr, nothing on stdout, 2. */
async function refused(...args: string[]): Promise<string> {
  const { status, stdout, stderr }: Finished = await user.run(...args);
  if (status === 2 && stdout === '' && /^error: [^\n]*\n$/.test(stderr)) return stderr;
  throw new Error(`jugq ${args.join(' ')}: status ${String(status)}\n${stdout}${stderr}`);
}

test.serial('something is missing: how the command is called', async (t) => {
  t.is(
    await refused('get'),
    'error: something is missing: jugq get <what> [export] [-- arguments…]: see jugq get --help\n',
  );
  t.regex(await refused('run'), /: jugq run <jugfile> \[arguments…\]: /);
  t.regex(await refused('export'), /: jugq export <file>: /);
});

test.serial('--help: what may follow has a name', async (t) => {
  const { stdout } = await user.run('cleanup', '--help');
  t.regex(stdout, /^\$ jugq cleanup \[jugfile…\] \[-- arguments…\]$/m);
});

test.serial('an option, a command or a setting that there is not', async (t) => {
  t.regex(await refused('status', '--nope'), /unsupported option name \("--nope"\)/);
  t.regex(await refused('statsu'), /did you mean jugq status\?/);
  t.regex(await refused('worker', '--metrics-port', '99999'), /a whole number from 1 to 65535/);
  t.regex(await refused('completion', 'tcsh'), /expected bash, zsh or fish/);
  t.regex(await refused('wait', '--timeout', '5'), /--timeout: expected a duration such as 30s/);
});

test.serial('a file that cannot be written', async (t) => {
  t.regex(
    await refused('init', 'none/jugfile.ts'),
    /^error: cannot write none\/jugfile.ts: ENOENT/,
  );
  t.regex(await refused('demo', 'package.json/x'), /^error: cannot use package.json\/x: ENOTDIR/);
});

test.serial(
  'a jugfile, or a module of it, in another encoding than UTF-8: its place',
  async (t) => {
    await writeFile(
      join(user.path, 'nothing.ts'),
      Buffer.from("\nexport const nothing = 'caf\u00e9';", 'latin1'),
    );
    t.regex(
      await refused('count', 'jugfile.ts'),
      /^error: the source is not in UTF-8: nothing\.ts:2: save it with that encoding$/m,
    );
  },
);
