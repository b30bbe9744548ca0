import test from 'ava';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'nats';
import { ownHost, type HostMark } from '../../broker/private-host.ts';
import { holdOpen, makePipe } from '../../broker/private-process.ts';
import { privateFiles } from '../../broker/private-record.ts';
import { findPrivateServer, privateDirectory, stillThere } from '../../broker/private-server.ts';
import { eventually } from '../kit/eventually.ts';
import { ended, ensure, enter, place, refusal } from '../kit/private-servers.ts';

/** Leaves a lock as a keeper with another mark would. */
async function leaveLock(directory: string, host: HostMark, pid: number): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(privateFiles(directory).lock, JSON.stringify({ mark: 'stranger', pid, host }));
}

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
}

test.serial('the first command starts a server on loopback that demands its token', async (t) => {
  const directory = await place(t);
  const server = await ensure(directory);
  const client = await enter(t, server);
  t.true(client.info?.jetstream);
  t.true(await stillThere(server));
  t.regex(server.url, /^nats:\/\/127\.0\.0\.1:\d+$/);
  await t.throwsAsync(connect({ servers: server.url, token: 'guess', reconnect: false }), {
    code: 'AUTHORIZATION_VIOLATION',
  });
});

test.serial('its directory is closed to others and ignored by git', async (t) => {
  const directory = await place(t);
  const server = await ensure(directory);
  await enter(t, server);
  t.is((await stat(directory)).mode & 0o777, 0o700);
  const files = await readdir(directory);
  for (const name of files.filter((each) => each !== '.gitignore' && each !== 'data')) {
    t.is((await stat(join(directory, name))).mode & 0o077, 0, name);
  }
  execFileSync('git', ['init', '-q'], { cwd: join(directory, '..') });
  const status = execFileSync('git', ['status', '--porcelain'], { cwd: join(directory, '..') });
  t.is(status.toString(), '');
});

test.serial('it ends with its last client', async (t) => {
  const directory = await place(t);
  const server = await ensure(directory);
  const clients = [await enter(t, server), await enter(t, server)];
  await clients[0]?.close();
  t.is((await ensure(directory)).pid, server.pid);
  await clients[1]?.close();
  await ended(server);
  t.is(await findPrivateServer(directory), undefined);
  t.false(await stillThere(server));
});

test.serial('it ends when its last client is killed', async (t) => {
  const directory = await place(t);
  const server = await ensure(directory);
  const nats = createRequire(import.meta.url).resolve('nats');
  const program = `require(${JSON.stringify(nats)}).connect(${JSON.stringify({ servers: server.url, token: server.token })}).then(() => console.log('in'))`;
  const client = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(client.stdout, 'data');
  client.kill('SIGKILL');
  await ended(server);
  t.pass();
});

test.serial('it ends when the command that had it started never comes', async (t) => {
  const directory = await place(t);
  await ended(await ensure(directory, { graceMs: 300 }));
  t.pass();
});

test.serial('eight commands at once get one server', async (t) => {
  const directory = await place(t);
  const servers = await Promise.all(Array.from({ length: 8 }, () => ensure(directory)));
  t.is(new Set(servers.map((each) => each.pid)).size, 1);
});

test.serial("eight commands that find a dead keeper's lock get one server", async (t) => {
  const directory = await place(t);
  await leaveLock(directory, await ownHost(), await deadPid());
  const servers = await Promise.all(Array.from({ length: 8 }, () => ensure(directory)));
  t.is(new Set(servers.map((each) => each.pid)).size, 1);
});

test.serial('the lock of another host: an error that says how to use its server', async (t) => {
  const directory = await place(t);
  const host = { name: 'alpha', machine: 'a', boot: 'b', space: '' };
  await leaveLock(directory, host, process.pid);
  const error = await refusal(t, ensure(directory), 'SERVER_ON_OTHER_HOST');
  t.regex(error.message, /belongs to alpha .*jugq server --host .*--server.*keeper\.lock/);
  await refusal(t, findPrivateServer(directory), 'SERVER_ON_OTHER_HOST');
});

test.serial('the lock of a container that runs: an error', async (t) => {
  const directory = await place(t);
  await leaveLock(directory, { ...(await ownHost()), space: 'pid:[1]' }, process.pid);
  await makePipe(privateFiles(directory).presence);
  holdOpen(privateFiles(directory).presence);
  await refusal(t, ensure(directory), 'SERVER_ON_OTHER_HOST');
});

test.serial('the lock of a container that is gone counts for nothing', async (t) => {
  const directory = await place(t);
  await leaveLock(directory, { ...(await ownHost()), space: 'pid:[1]' }, process.pid);
  await makePipe(privateFiles(directory).presence);
  await enter(t, await ensure(directory));
  t.pass();
});

test.serial('a lock from before this machine was started anew counts for nothing', async (t) => {
  const directory = await place(t);
  await leaveLock(directory, { ...(await ownHost()), boot: 'earlier' }, process.pid);
  await enter(t, await ensure(directory));
  t.pass();
});

test.serial(
  'a wider address is wanted: the server takes it, and keeps its port and its clients',
  async (t) => {
    const directory = await place(t);
    const server = await ensure(directory);
    const client = await enter(t, server);
    const wide = await ensure(directory, { listenHost: '0.0.0.0', storeSync: 'always' });
    t.is(wide.listenHost, '0.0.0.0');
    t.is(wide.url, server.url);
    t.regex(await readFile(privateFiles(directory).configuration, 'utf8'), /sync_interval: always/);
    await eventually('the client to be back', () =>
      client.flush().then(
        () => true,
        () => undefined,
      ),
    );
    t.deepEqual(await ensure(directory), wide);
  },
);

test.serial('a port that somebody has taken: the server takes another', async (t) => {
  const directory = await place(t);
  const squatter = createServer().listen(0, '127.0.0.1');
  await once(squatter, 'listening');
  t.teardown(() => squatter.close());
  const address = squatter.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const left = { ...(await record(port)), url: `nats://127.0.0.1:${port.toString()}`, port };
  await mkdir(directory);
  await writeFile(privateFiles(directory).record, JSON.stringify(left));
  const server = await ensure(directory);
  t.not(server.port, port);
  await enter(t, server);
});

test.serial('a directory that is removed: its server ends', async (t) => {
  const directory = await place(t);
  const server = await ensure(directory);
  await enter(t, server);
  await rm(directory, { recursive: true, maxRetries: 10 });
  await ended(server);
  t.pass();
});

test.serial('a file in the place of the directory: an error that says so', async (t) => {
  const directory = await place(t);
  await writeFile(directory, '');
  const error = await refusal(t, ensure(directory), 'SERVER_FAILED');
  t.regex(error.message, /expected a directory/);
});

test.serial('looking for a server starts none', async (t) => {
  const directory = await place(t);
  t.is(await findPrivateServer(directory), undefined);
  t.false(existsSync(directory));
});

test.serial('waiting for a server ends with the signal', async (t) => {
  const directory = await place(t);
  await refusal(t, ensure(directory, { signal: AbortSignal.abort() }), 'INTERRUPTED');
});

test.serial('the directory is beside the nearest package.json, else here', async (t) => {
  const project = join(await place(t), '..');
  await mkdir(join(project, 'a', 'b'), { recursive: true });
  await writeFile(join(project, 'package.json'), '{}');
  t.is(privateDirectory(join(project, 'a', 'b')), join(project, '.jugq'));
  await writeFile(join(project, 'a', 'package.json'), '{}');
  t.is(privateDirectory(join(project, 'a', 'b')), join(project, 'a', '.jugq'));
  const bare = await realpath(await mkdtemp(join(tmpdir(), 'jugq-bare-')));
  t.teardown(() => rm(bare, { recursive: true }));
  t.is(privateDirectory(bare), join(bare, '.jugq'));
});

function record(port: number): Promise<object> {
  const wish = { listenHost: '127.0.0.1', storeSync: 'second' };
  const rest = { format: 1, token: 'old', pid: 1, version: '2.10.27', keeper: 'gone' };
  return Promise.resolve({ ...wish, ...rest, port });
}
