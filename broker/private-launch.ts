/** Starts, adopts and ends the nats-server of a private directory, on behalf of its keeper. */
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection } from 'nats';
import { JugqError } from '../core/errors.ts';
import { endProcess, isRunning } from './private-process.ts';
import {
  diskFull,
  privateFiles,
  writePrivately,
  type ServerRecord,
  type ServerWish,
} from './private-record.ts';
import { lastLines } from './server-command.ts';

/** A server that answers, and the keeper's own connection to it. */
export interface RunningServer {
  readonly record: ServerRecord;
  readonly connection: NatsConnection;
  /** Resolves when the process has ended; how, if that is known. */
  readonly ended: Promise<string>;
}

/** What a server is to be started with. */
export interface LaunchOptions extends ServerWish {
  readonly directory: string;
  readonly binary: string;
  readonly token: string;
  /** The port that clients know, to be had again if nobody has taken it; -1 for any. */
  readonly port: number;
  /** The keeper's mark, for the record. */
  readonly keeper: string;
  /** What the server is to hold open as long as it lives; see `holdOpen`. */
  readonly presence: number | undefined;
}

/** Reading a store of many millions of messages takes minutes. */
const startMsMax = 10 * 60_000;
const answerMs = 5000;
const stopMs = 30_000;
const lookMs = 1000;
/** With less, the server ends at its start, and cannot even say why. */
const freeBytesMin = 1024 * 1024;

/**
 * Starts a server and waits until it answers.
 *
 * @throws JugqError `SERVER_FAILED` with the end of its log if it does not come up
 */
export async function launchServer(options: LaunchOptions): Promise<RunningServer> {
  const ports = options.port === -1 ? [-1] : [options.port, -1];
  let problem: unknown;
  // Whatever keeps a server from its old port, a second failure on any port is not about ports.
  for (const port of ports) {
    try {
      return await launchOn(port, options);
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

/**
 * Takes over a server whose keeper is gone; one that does not answer is ended.
 *
 * @returns undefined if there is none that could be of use
 */
export async function adoptServer(
  directory: string,
  record: ServerRecord | undefined,
  keeper: string,
): Promise<RunningServer | undefined> {
  const pid = await orphanPid(directory);
  if (pid === undefined) return undefined;
  if (record?.pid === pid) {
    try {
      const connection = await connectKeeper(record.url, record.token);
      const own = { ...record, keeper };
      return { record: own, connection, ended: adoptedEnd(pid, directory) };
    } catch {
      // Whatever is wrong with it, it must not stay on the store beside a new one.
    }
  }
  await endProcess(pid, serverMark(directory), stopMs);
  return undefined;
}

/** Ends a server in order, by force if that takes too long. */
export async function endServer(server: RunningServer, directory: string): Promise<void> {
  await server.connection.close();
  await endProcess(server.record.pid, serverMark(directory), stopMs);
  await server.ended;
}

/**
 * How many clients there are beside the keeper; undefined if the server does not say.
 *
 * An ordinary client may ask this about its own account, so that no port for monitoring is open to other users.
 */
export async function countClients(connection: NatsConnection): Promise<number | undefined> {
  try {
    const reply = await connection.request('$SYS.REQ.ACCOUNT.PING.CONNZ', '{"limit":1}', {
      timeout: answerMs / 5,
    });
    const { data } = reply.json<{ data?: { total?: unknown } }>();
    return typeof data?.total === 'number' ? data.total - 1 : undefined;
  } catch {
    // The client tells apart a silent server and a lost connection; neither says anything about others.
    return undefined;
  }
}

async function launchOn(port: number, options: LaunchOptions): Promise<RunningServer> {
  const { directory, binary, presence, listenHost, storeSync, token, keeper } = options;
  const files = privateFiles(directory);
  await mkdir(files.store, { recursive: true, mode: 0o700 });
  await writePrivately(files.configuration, await configuration(port, options));
  await removePortsFiles(directory);
  const logs = { server: await sizeOf(files.serverLog), keeper: await sizeOf(files.keeperLog) };
  const log = openSync(files.keeperLog, 'a', 0o600);
  // The shell writes the number down before it becomes the server, so that no moment of a crash leaves an unknown one.
  const child = spawn(
    '/bin/sh',
    [
      '-c',
      'echo $$ >"$1" && shift && exec "$@"',
      'sh',
      files.pid,
      binary,
      '-c',
      files.configuration,
    ],
    { stdio: ['ignore', log, log, presence ?? 'ignore'], cwd: directory },
  );
  closeSync(log);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => {
      resolve(error.message);
    });
    child.once('exit', (code, signal) => {
      resolve(
        signal === null ? `it ended with exit status ${String(code)}` : `it was ended by ${signal}`,
      );
    });
  });
  const starting = new AbortController();
  void ended.then((how) => {
    starting.abort(new Error(how));
  });
  try {
    const pid = child.pid ?? 0;
    const found = await portOf(directory, pid, starting.signal);
    const url = `nats://${urlHost(listenHost)}:${found.toString()}`;
    const connection = await connectKeeper(url, token);
    const version = connection.info?.version ?? 'unknown';
    const record: ServerRecord = {
      format: 1,
      ...{ url, token, port: found, pid, version, keeper, listenHost, storeSync },
    };
    return { record, connection, ended };
  } catch (error) {
    if (child.pid !== undefined) await endProcess(child.pid, serverMark(directory), stopMs);
    const tail =
      (await tailOf(files.serverLog, logs.server)) || (await tailOf(files.keeperLog, logs.keeper));
    throw new JugqError(
      'SERVER_FAILED',
      `the private nats-server did not start: ${error instanceof Error ? error.message : String(error)}${tail === '' ? '' : `: ${tail}`}: see ${files.serverLog}`,
      { cause: error, fields: { directory } },
    );
  }
}

async function configuration(port: number, options: LaunchOptions): Promise<string> {
  const { directory, listenHost, token, storeSync } = options;
  const files = privateFiles(directory);
  const quoted = (text: string): string => JSON.stringify(text);
  return [
    `host: ${quoted(listenHost)}`,
    `port: ${port.toString()}`,
    `ports_file_dir: ${quoted(directory)}`,
    `authorization { token: ${quoted(token)} }`,
    'jetstream {',
    `  store_dir: ${quoted(files.store)}`,
    `  max_file_store: ${(await storeBytesMax(files.store)).toString()}`,
    // The server's own two minutes are what a power cut would take; a second costs nothing that can be measured.
    `  sync_interval: ${storeSync === 'always' ? 'always' : '1s'}`,
    '}',
    `log_file: ${quoted(files.serverLog)}`,
    'logfile_size_limit: 4MB',
    'logfile_max_num: 2',
    '',
  ].join('\n');
}

/**
 * What is stored and nine tenths of what is free.
 *
 * The server's own default counts only what is free at its start, so that a well-filled store on a well-filled disk would
 * refuse everything.
 */
async function storeBytesMax(store: string): Promise<number> {
  const { bavail, bsize } = await statfs(store);
  if (bavail * bsize < freeBytesMin) throw diskFull(dirname(store));
  const entries = await readdir(store, { recursive: true, withFileTypes: true });
  let stored = 0;
  for (const entry of entries) {
    if (entry.isFile()) stored += await sizeOf(join(entry.parentPath, entry.name));
  }
  return stored + Math.floor(bavail * bsize * 0.9);
}

/** The server writes this file when it has read its store and listens. */
async function portOf(directory: string, pid: number, starting: AbortSignal): Promise<number> {
  const until = performance.now() + startMsMax;
  for (;;) {
    const names = await readdir(directory);
    const name = names.find((each) => each.endsWith(`_${pid.toString()}.ports`));
    const text = name === undefined ? '' : await readFile(join(directory, name), 'utf8');
    const port = /"nats":\s*\[\s*"nats:\/\/[^"]*:(\d+)"/.exec(text)?.[1];
    if (port !== undefined) return Number(port);
    if (performance.now() > until)
      throw new Error(`it did not listen within ${startMsMax.toString()} ms`);
    starting.throwIfAborted();
    await delay(10);
  }
}

async function removePortsFiles(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name.endsWith('.ports')) await rm(join(directory, name), { force: true });
  }
}

/** An address that means all of this machine's is no address to connect to. */
function urlHost(listenHost: string): string {
  if (listenHost === '0.0.0.0' || listenHost === '') return '127.0.0.1';
  if (listenHost === '::') return '[::1]';
  return isIPv6(listenHost) ? `[${listenHost}]` : listenHost;
}

async function connectKeeper(url: string, token: string): Promise<NatsConnection> {
  const connection = await connect({
    servers: url,
    token,
    name: 'jugq keeper',
    timeout: answerMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    ignoreAuthErrorAbort: true,
  });
  try {
    // Asks JetStream whether it works.
    await connection.jetstreamManager({ timeout: answerMs });
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The process that the last keeper wrote down, if it is a server and this directory's. */
async function orphanPid(directory: string): Promise<number | undefined> {
  const text = await readFile(privateFiles(directory).pid, 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return pid > 0 && (await isRunning(pid, serverMark(directory))) ? pid : undefined;
}

/** Only a server of this directory has this on its command line. */
export function serverMark(directory: string): string {
  return privateFiles(directory).configuration;
}

async function adoptedEnd(pid: number, directory: string): Promise<string> {
  while (await isRunning(pid, serverMark(directory))) await delay(lookMs);
  return 'it ended';
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => undefined))?.size ?? 0;
}

async function tailOf(file: string, from: number): Promise<string> {
  const handle = await open(file, 'r').catch(() => undefined);
  if (handle === undefined) return '';
  try {
    const size = Math.max(0, (await handle.stat()).size - from);
    const buffer = Buffer.alloc(Math.min(size, 16_384));
    await handle.read(buffer, 0, buffer.length, from + size - buffer.length);
    return lastLines(buffer.toString());
  } finally {
    await handle.close();
  }
}
