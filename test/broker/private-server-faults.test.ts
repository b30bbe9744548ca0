import test, { type ExecutionContext } from 'ava';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRunning } from '../../broker/private-process.ts';
import { privateFiles } from '../../broker/private-record.ts';
import { findPrivateServer, stillThere } from '../../broker/private-server.ts';
import { findServerBinary } from '../../broker/server-binary.ts';
import { eventually } from '../kit/eventually.ts';
import { ended, ensure, enter, keeperOf, place, refusal } from '../kit/private-servers.ts';

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
    // A busy machine takes its time: whoever asks before it is gone is given its server.
    await eventually('the keeper to end', async () => !(await isRunning(keeper.pid, keeper.mark)));
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

function childrenOf(pid: number): number[] {
  const output = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return output.split('\n').flatMap((line) => {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    return child !== undefined && parent === pid ? [child] : [];
  });
}
