/** `jugq config`, `doctor`, `completion`, `init` and `demo` as a user types them. */
import { execFile } from 'node:child_process';
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { userDirectory } from '../kit/cli.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

const execute = promisify(execFile);
let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Finding {
  readonly what: string;
  readonly verdict: string;
  readonly found: string;
  readonly advice?: string;
}
interface Diagnosis {
  readonly ok: boolean;
  readonly findings: readonly Finding[];
}

test.serial('config: each setting with where it came from; secrets are masked', async (t) => {
  await using user = await projectOn(server, 'nothing', { JUGQ_TOKEN: 'hush' });
  await user.write('jugq.config.json', '{ "threads": 3 }');
  const { status, stdout, stderr } = await user.run('config', '--replicas', '3');
  t.is(status, 0, stderr);
  t.false(stdout.includes('hush'));
  t.regex(stdout, /^server +nats:\/\/\S+ +NATS_URL +JUGQ_SERVER$/m);
  t.regex(stdout, /^threads +3 +\S*jugq\.config\.json +JUGQ_THREADS$/m);
  t.regex(stdout, /^replicas +3 +flag --replicas +JUGQ_REPLICAS$/m);
  const all = await user.json<readonly { key: string; origin: string }[]>('config', '--json');
  t.is(all.find((each) => each.key === 'lease')?.origin, 'JUGQ_LEASE');
  t.false(JSON.stringify(all).includes('hush'));
});

test.serial('doctor: a good server: 0, and everything that was looked at', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const { status, stdout, stderr } = await user.run('doctor');
  t.is(status, 0, stdout + stderr);
  const { ok, findings } = await user.json<Diagnosis>('doctor', '--json');
  t.true(ok);
  const whats = findings.map((each) => each.what);
  for (const what of ['Node', 'esbuild', 'settings', 'server', 'permissions', 'version', 'storage'])
    t.true(whats.includes(what), what);
  t.is(findings.find((each) => each.what === 'version')?.found, server.version);
  const sync = findings.find((each) => each.what === 'sync');
  t.is(sync?.verdict, 'doubtful');
  t.regex(sync?.advice ?? '', /sync_interval/);
});

test.serial('doctor: no server there: 3; wrong settings: 1; each with what to do', async (t) => {
  await using user = await projectOn(server, 'nothing', { NATS_URL: 'nats://127.0.0.1:1' });
  const away = await user.run('doctor');
  t.is(away.status, 3);
  t.regex(away.stdout, /^✗ server .*\n +→ .+/m);
  const wrong = await user.run('doctor', '--replicas', '2');
  t.is(wrong.status, 1);
  t.regex(wrong.stdout, /^✗ settings .*replicas/m);
});

test.serial(
  'doctor: without a server named, of the private one: how it syncs is known',
  async (t) => {
    await using user = await userDirectory({});
    const { findings } = await user.json<Diagnosis>('doctor', '--json');
    t.like(
      findings.find((each) => each.what === 'sync'),
      { verdict: 'good' },
    );
    t.like(
      findings.find((each) => each.what === 'nats-server'),
      { verdict: 'good' },
    );
  },
);

test.serial('completion bash: completes commands, their options, and files', async (t) => {
  await using user = await userDirectory({ 'jugfile.ts': '', 'a jugfile.ts': '' });
  const { stdout } = await user.run('completion', 'bash');
  await user.write('jugq.bash', stdout);
  const complete = async (...words: string[]): Promise<string[]> => {
    const script = `source ./jugq.bash; COMP_WORDS=(${words.map((each) => `'${each}'`).join(' ')}); COMP_CWORD=${(words.length - 1).toString()}; _jugq; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const done = await execute('bash', ['-c', script], { cwd: user.path });
    return done.stdout.split('\n').filter((each) => each !== '');
  };
  t.deepEqual(await complete('jugq', 'des'), ['describe']);
  t.deepEqual(await complete('jugq', 'status', '--exit'), ['--exit-code']);
  t.deepEqual(await complete('jugq', 'run', 'jugf'), ['jugfile.ts']);
  t.deepEqual(await complete('jugq', 'run', 'a '), ['a jugfile.ts']);
  t.true((await complete('jugq', 'graph', '-')).includes('-o'));
});

test.serial('completion zsh and fish: what these shells can read; another shell: 2', async (t) => {
  await using user = await userDirectory({});
  const zsh = await user.run('completion', 'zsh');
  t.regex(zsh.stdout, /^#compdef jugq\n/);
  t.regex(zsh.stdout, /'describe:tell where a result came from/);
  const fish = await user.run('completion', 'fish');
  t.regex(fish.stdout, /^complete -c jugq -n __fish_use_subcommand -f -a describe -d '/m);
  t.regex(fish.stdout, /__fish_seen_subcommand_from status' -l exit-code -d '/);
  await user.write('jugq.zsh', zsh.stdout);
  await user.write('jugq.fish', fish.stdout);
  for (const [shell, file] of [
    ['zsh', 'jugq.zsh'],
    ['fish', 'jugq.fish'],
  ] as const) {
    // Only where the shell is installed can it be asked.
    const version = await execute(shell, ['--version']).catch(() => undefined);
    if (version !== undefined)
      await t.notThrowsAsync(execute(shell, ['-n', join(user.path, file)]));
  }
  t.is((await user.run('completion', 'csh')).status, 2);
});

test.serial('init: a jugfile that runs; never over one that is there', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const { status, stdout, stderr } = await user.run('init', 'first.ts');
  t.is(status, 0, stderr);
  t.is(stdout, 'first.ts\n');
  t.regex(stderr, /"strict": true/);
  t.notRegex(stderr, /no package\.json|npm install jugq/);
  await user.run('run', 'first.ts');
  t.is((await user.run('get', 'first.ts', 'total')).stdout, '285\n');
  const before = await readFile(join(user.path, 'jugfile.ts'), 'utf8');
  const again = await user.run('init');
  t.is(again.status, 2);
  t.regex(again.stderr, /^error: cannot write jugfile\.ts: it is there already/);
  t.is(await readFile(join(user.path, 'jugfile.ts'), 'utf8'), before);
});

test.serial('demo: primes, in a directory of its own that stays', async (t) => {
  t.timeout(120_000);
  await using user = await projectOn(server, 'nothing');
  const { status, stdout, stderr } = await user.run('demo', 'primes');
  t.is(status, 0, stderr);
  t.regex(stdout, /^\$ jugq run jugfile\.ts$/m);
  t.regex(stdout, /\[2,3,5,7,11,13/);
  await t.notThrowsAsync(access(join(user.path, 'primes', 'jugfile.ts')));
  const again = await user.run('demo', 'primes');
  t.is(again.status, 2);
  t.regex(again.stderr, /primes is not empty/);
});
