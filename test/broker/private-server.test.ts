import test, { type ExecutionContext } from 'ava';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { ownHost, type HostMark } from '../../broker/private-host.ts';
import { endProcess, holdOpen, isRunning, makePipe } from '../../broker/private-process.ts';
import { privateFiles } from '../../broker/private-record.ts';
import {
  ensurePrivateServer,
  findPrivateServer,
  privateDirectory,
  stillThere,
  type PrivateServer,
  type PrivateServerOptions,
} from '../../broker/private-server.ts';
import { findServerBinary } from '../../broker/server-binary.ts';
import { isJugqError, type ErrorCode, type JugqError } from '../../core/errors.ts';
import { eventually } from '../kit/eventually.ts';

/** A directory for a private server; whatever runs there at the end of the test is ended. */
async function place(t: ExecutionContext): Promise<string> {
  const project = await realpath(await mkdtemp(join(tmpdir(), 'jugq-private-')));
  const directory = join(project, '.jugq');
  t.teardown(async () => {
    const lock = privateFiles(directory).lock;
    if (existsSync(lock)) {
      const { pid, mark } = await keeperOf(directory);
      await endProcess(pid, mark, 30_000);
    }
    await rm(project, { recursive: true, force: true, maxRetries: 10 });
  });
  return directory;
}

function ensure(
  directory: string,
  more: Partial<PrivateServerOptions> = {},
): Promise<PrivateServer> {
  return ensurePrivateServer({
    directory,
    report: () => undefined,
    idleMs: 300,
    graceMs: 5000,
    ...more,
  });
}

/** A client, as a command would be. */
async function enter(t: ExecutionContext, server: PrivateServer): Promise<NatsConnection> {
  const options = { servers: server.url, token: server.token, maxReconnectAttempts: -1 };
  const connection = await connect({ ...options, reconnectTimeWait: 50 });
  t.teardown(() => connection.close());
  return connection;
}

async function keeperOf(directory: string): Promise<{ pid: number; mark: string }> {
  const text = await readFile(privateFiles(directory).lock, 'utf8');
  return JSON.parse(text) as { pid: number; mark: string };
}

async function ended(server: PrivateServer): Promise<void> {
  const { configuration, lock } = privateFiles(server.directory);
  await eventually(
    'server and keeper to end',
    async () => !(await isRunning(server.pid, configuration)) && !existsSync(lock),
  );
}

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

/** Runs nats-server's name with a script of ours; serial, since the environment is everybody's. */
async function withBinary(t: ExecutionContext, script: string): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'jugq-binary-'));
  const path = join(directory, 'nats-server');
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  const before = process.env['JUGQ_NATS_SERVER'];
  process.env['JUGQ_NATS_SERVER'] = path;
  t.teardown(async () => {
    if (before === undefined) delete process.env['JUGQ_NATS_SERVER'];
    else process.env['JUGQ_NATS_SERVER'] = before;
    await rm(directory, { recursive: true });
  });
}

test.serial('a server that dies at its start: the error has the end of its log', async (t) => {
  const directory = await place(t);
  await withBinary(
    t,
    'case "$1" in --version) echo "nats-server: v2.10.99";; *) echo "store is unreadable: block 7" >&2; exit 4;; esac',
  );
  const error = await refusal(t, ensure(directory), 'SERVER_FAILED');
  t.regex(error.message, /exit status 4.*store is unreadable: block 7/s);
  t.false(existsSync(privateFiles(directory).lock));
});

test.serial(
  'a server that dies again and again: its keeper gives up, says why and leaves no lock',
  async (t) => {
    const directory = await place(t);
    const binary = await findServerBinary();
    const lives = join(await realpath(tmpdir()), `jugq-lives-${process.pid.toString()}`);
    t.teardown(() => rm(lives, { force: true }));
    await withBinary(
      t,
      `[ "$1" = --version ] && exec ${binary?.path ?? ''} --version
if [ -e ${lives} ]; then echo "no more lives" >&2; exit 1; fi
touch ${lives}; exec ${binary?.path ?? ''} "$@"`,
    );
    const server = await ensure(directory);
    process.kill(server.pid, 'SIGKILL');
    await ended(server);
    t.regex(
      await readFile(privateFiles(directory).keeperLog, 'utf8'),
      /did not start.*no more lives/,
    );
  },
);

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

test.serial(
  'a server that is killed: it is back under its address, and what was stored is there',
  async (t) => {
    const directory = await place(t);
    const server = await ensure(directory);
    const client = await enter(t, server);
    const { streams } = await client.jetstreamManager({ timeout: 500 });
    await streams.add({ name: 'S', subjects: ['s'] });
    await client.jetstream().publish('s', 'kept');
    process.kill(server.pid, 'SIGKILL');
    const next = await eventually('a new server', async () => {
      const found = await findPrivateServer(directory);
      return found?.pid !== server.pid && found;
    });
    t.is(next.url, server.url);
    t.true(await stillThere(server));
    const message = await eventually('the stored message', () =>
      streams.getMessage('S', { seq: 1 }).catch(() => undefined),
    );
    t.is(message.string(), 'kept');
  },
);

test.serial(
  'a keeper that is killed: another one looks after the same server, to its end',
  async (t) => {
    const directory = await place(t);
    const server = await ensure(directory);
    const client = await enter(t, server);
    const keeper = await keeperOf(directory);
    process.kill(keeper.pid, 'SIGKILL');
    await eventually('a new keeper', async () => {
      const next = await keeperOf(directory).catch(() => keeper);
      return next.mark !== keeper.mark;
    });
    t.is((await findPrivateServer(directory))?.pid, server.pid);
    t.is((await ensure(directory)).pid, server.pid);
    await client.close();
    await ended(server);
  },
);

test.serial(
  'a keeper that is killed with all that would follow it: the next command adopts the server',
  async (t) => {
    const directory = await place(t);
    const server = await ensure(directory);
    const client = await enter(t, server);
    const keeper = await keeperOf(directory);
    const successor = childrenOf(keeper.pid).find((pid) => pid !== server.pid);
    process.kill(successor ?? 0, 'SIGKILL');
    process.kill(keeper.pid, 'SIGKILL');
    const [first, second] = await Promise.all([ensure(directory), ensure(directory)]);
    t.is(first.pid, server.pid);
    t.is(second.pid, server.pid);
    await client.close();
    await ended(server);
  },
);

test.serial(
  'an orphan that does not answer is ended before another server gets the store',
  async (t) => {
    const directory = await place(t);
    const server = await ensure(directory);
    const keeper = await keeperOf(directory);
    const successor = childrenOf(keeper.pid).find((pid) => pid !== server.pid);
    process.kill(successor ?? 0, 'SIGKILL');
    process.kill(keeper.pid, 'SIGKILL');
    process.kill(server.pid, 'SIGSTOP');
    await eventually('the keeper to end', async () => !(await isRunning(keeper.pid, keeper.mark)));
    const next = await ensure(directory);
    t.not(next.pid, server.pid);
    t.false(await isRunning(server.pid, privateFiles(directory).configuration));
  },
);

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

function childrenOf(pid: number): number[] {
  const output = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return output.split('\n').flatMap((line) => {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    return child !== undefined && parent === pid ? [child] : [];
  });
}
