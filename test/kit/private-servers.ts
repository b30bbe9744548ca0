/** Private servers in directories of their own, as commands start and find them. */
import type { ExecutionContext } from 'ava';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type NatsConnection } from 'nats';
import { endProcess, isRunning } from '../../broker/private-process.ts';
import { privateFiles } from '../../broker/private-record.ts';
import {
  ensurePrivateServer,
  type PrivateServer,
  type PrivateServerOptions,
} from '../../broker/private-server.ts';
import { isJugqError, type ErrorCode, type JugqError } from '../../core/errors.ts';
import { eventually } from './eventually.ts';

/** A directory for a private server; whatever runs there at the end of the test is ended. */
export async function place(t: ExecutionContext): Promise<string> {
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

export function ensure(
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
export async function enter(t: ExecutionContext, server: PrivateServer): Promise<NatsConnection> {
  const options = { servers: server.url, token: server.token, maxReconnectAttempts: -1 };
  const connection = await connect({ ...options, reconnectTimeWait: 50 });
  t.teardown(() => connection.close());
  return connection;
}

export async function keeperOf(directory: string): Promise<{ pid: number; mark: string }> {
  const text = await readFile(privateFiles(directory).lock, 'utf8');
  return JSON.parse(text) as { pid: number; mark: string };
}

export async function ended(server: PrivateServer): Promise<void> {
  const { configuration, lock } = privateFiles(server.directory);
  await eventually(
    'server and keeper to end',
    async () => !(await isRunning(server.pid, configuration)) && !existsSync(lock),
  );
}

export async function refusal(
  t: ExecutionContext,
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<JugqError> {
  const error = await t.throwsAsync(promise);
  if (!isJugqError(error)) throw new Error('expected an error of ours', { cause: error });
  t.is(error.code, code, error.message);
  return error;
}
