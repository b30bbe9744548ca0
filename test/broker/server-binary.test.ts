import test, { type ExecutionContext } from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { chmod, copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  compareVersions,
  findServerBinary,
  isNewEnough,
  serverFloor,
} from '../../broker/server-binary.ts';
import { installServer } from '../../broker/server-install.ts';
import { isJugqError, type ErrorCode, type JugqError } from '../../core/errors.ts';

/**
 * A machine's state as far as the search goes: an own PATH and cache, for one test at a time.
 *
 * @param programs - shell scripts by name, on the PATH
 */
async function machine(
  t: ExecutionContext,
  programs: Readonly<Record<string, string>> = {},
): Promise<{ bin: string; cache: string }> {
  const root = await mkdtemp(join(tmpdir(), 'jugq-machine-'));
  const [bin, cache] = [join(root, 'bin'), join(root, 'cache', 'jugq')];
  await mkdir(bin);
  await mkdir(cache, { recursive: true });
  for (const [name, script] of Object.entries(programs)) await program(join(bin, name), script);
  const before = { ...process.env };
  t.teardown(async () => {
    process.env = before;
    await rm(root, { recursive: true });
  });
  process.env = { ...before, PATH: bin, XDG_CACHE_HOME: join(root, 'cache') };
  delete process.env['JUGQ_NATS_SERVER'];
  return { bin, cache };
}

async function program(path: string, script: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}

const saying = (version: string): string => `echo "nats-server: v${version}"`;

async function refusal(
  t: ExecutionContext,
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<JugqError> {
  const error = await t.throwsAsync(promise);
  if (!isJugqError(error)) throw new Error('expected an error of ours', { cause: error });
  t.is(error.code, code, error.message);
  return error;
}

const version = fc.tuple(fc.nat(30), fc.nat(30), fc.nat(30));

testProp('versions are ordered by their numbers', [version, version], (t, a, b) => {
  const at = a.findIndex((each, index) => each !== b[index]);
  const expected = at === -1 ? 0 : Math.sign((a[at] ?? 0) - (b[at] ?? 0));
  t.is(Math.sign(compareVersions(a.join('.'), b.join('.'))), expected);
});

test('a pre-release of the floor is too old, the floor itself is not', (t) => {
  t.false(isNewEnough(`${serverFloor}-RC.1`));
  t.true(isNewEnough(serverFloor));
  t.true(isNewEnough(`v${serverFloor}`));
  t.false(isNewEnough('unknown'));
});

test.serial('JUGQ_NATS_SERVER is taken before what is on the PATH', async (t) => {
  const { bin } = await machine(t, { 'nats-server': saying('2.12.0'), own: saying('2.11.0') });
  process.env['JUGQ_NATS_SERVER'] = join(bin, 'own');
  t.deepEqual(await findServerBinary(), { path: join(bin, 'own'), version: '2.11.0' });
});

test.serial('JUGQ_NATS_SERVER names no file: an error that says so', async (t) => {
  const { bin } = await machine(t, { 'nats-server': saying('2.12.0') });
  process.env['JUGQ_NATS_SERVER'] = join(bin, 'missing');
  const error = await refusal(t, findServerBinary(), 'SETTINGS_INVALID');
  t.regex(error.message, /expected JUGQ_NATS_SERVER .*got ".*missing"/);
});

test.serial('JUGQ_NATS_SERVER names an old server: refused with both versions', async (t) => {
  const { bin } = await machine(t, { old: saying('2.9.10') });
  process.env['JUGQ_NATS_SERVER'] = join(bin, 'old');
  const error = await refusal(t, findServerBinary(), 'SERVER_TOO_OLD');
  t.regex(error.message, /expected .*2\.10\.23 or later, got 2\.9\.10/);
});

test.serial('JUGQ_NATS_SERVER names another program: an error that shows its answer', async (t) => {
  const { bin } = await machine(t, { other: 'echo "hello"' });
  process.env['JUGQ_NATS_SERVER'] = join(bin, 'other');
  const error = await refusal(t, findServerBinary(), 'SERVER_FAILED');
  t.regex(error.message, /got "hello/);
});

test.serial('an old server on the PATH is passed over for the newest in the cache', async (t) => {
  const { cache } = await machine(t, { 'nats-server': saying('2.9.10') });
  for (const each of ['2.10.27', '2.9.11', '2.11.3']) {
    await program(join(cache, `nats-server-${each}`), saying(each));
  }
  t.deepEqual(await findServerBinary(), {
    path: join(cache, 'nats-server-2.11.3'),
    version: '2.11.3',
  });
});

test.serial('a server in the cache that does not run here is passed over', async (t) => {
  const { cache } = await machine(t);
  await writeFile(join(cache, 'nats-server-2.12.0'), 'not for this machine');
  await chmod(join(cache, 'nats-server-2.12.0'), 0o755);
  await program(join(cache, 'nats-server-2.11.0'), saying('2.11.0'));
  t.is((await findServerBinary())?.version, '2.11.0');
});

test.serial('a machine without a server: none is found', async (t) => {
  await machine(t);
  t.is(await findServerBinary(), undefined);
});

test.serial('installing where a server is already: it is reported and kept', async (t) => {
  const { bin, cache } = await machine(t, { 'nats-server': saying('2.12.0') });
  const lines: string[] = [];
  const binary = await installServer((line) => lines.push(line));
  t.deepEqual(binary, { path: join(bin, 'nats-server'), version: '2.12.0' });
  t.regex(lines.join('\n'), /2\.12\.0/);
  t.deepEqual(await readdir(cache), []);
});

/** An apt of a distribution with this version; its package holds a server of that version. */
function apt(candidate: string): Record<string, string> {
  return {
    'apt-cache': `echo "  Candidate: ${candidate}"`,
    'apt-get': 'case "$*" in *download*) : > nats-server_1_all.deb;; *) exit 0;; esac',
    dpkg: `/bin/mkdir -p "$3/usr/bin"; printf '#!/bin/sh\\necho nats-server: v${candidate.replace(/-.*/, '')}\\n' > "$3/usr/bin/nats-server"`,
  };
}

test.serial("the distribution's package is new enough: its server is in the cache", async (t) => {
  const { cache } = await machine(t, apt('2.11.2-1'));
  const installed = await Promise.all([1, 2, 3].map(() => installServer(() => undefined)));
  for (const each of installed) {
    t.deepEqual(each, { path: join(cache, 'nats-server-2.11.2'), version: '2.11.2' });
  }
  t.deepEqual(await readdir(cache), ['nats-server-2.11.2']);
  t.deepEqual(await findServerBinary(), installed[0]);
});

test.serial('apt fails: the error says what apt said, and where to get a server', async (t) => {
  const failing = 'echo "E: no route to the mirror" >&2; exit 100';
  const { cache } = await machine(t, { ...apt('2.9.10-1'), 'apt-get': failing });
  const error = await refusal(
    t,
    installServer(() => undefined),
    'SERVER_NOT_INSTALLED',
  );
  t.regex(error.message, /github\.com\/nats-io\/nats-server\/releases.*JUGQ_NATS_SERVER/);
  t.regex(error.message, /too old \(2\.9\.10-1\)/);
  t.regex(error.message, /exit status 100: E: no route to the mirror/);
  t.regex(error.message, /there is no brew here/);
  t.deepEqual(await readdir(cache), []);
});

test.serial('without apt, brew installs it', async (t) => {
  const { bin } = await machine(t);
  const cellar = join(bin, 'cellar', 'bin');
  await mkdir(cellar, { recursive: true });
  await program(join(bin, 'real'), saying('2.12.1'));
  await program(
    join(bin, 'brew'),
    `case "$1" in install) /bin/cp ${join(bin, 'real')} ${join(cellar, 'nats-server')};; --prefix) echo ${join(bin, 'cellar')};; esac`,
  );
  const binary = await installServer(() => undefined);
  t.deepEqual(binary, { path: join(cellar, 'nats-server'), version: '2.12.1' });
});

test.serial('a cache that cannot be made: the error names it and what to set', async (t) => {
  const { bin } = await machine(t, apt('2.11.2-1'));
  await copyFile(join(bin, 'dpkg'), join(bin, 'file'));
  process.env['XDG_CACHE_HOME'] = join(bin, 'file');
  const error = await refusal(
    t,
    installServer(() => undefined),
    'SERVER_NOT_INSTALLED',
  );
  t.regex(error.message, /cannot write to .*set XDG_CACHE_HOME .*JUGQ_NATS_SERVER/);
});
