/**
 * The private server: what commands use when nobody has named a NATS server.
 *
 * It lives in `.jugq/` beside package.json, is started by the first command and ends with the last. A keeper process of
 * its own looks after it (see `private-keeper.ts`), so that no command matters more than another: here is only how
 * commands find it, or have it started, and what keeps two hosts from using one directory.
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../core/built-file.ts';
import { invariant, JugqError } from '../core/errors.ts';
import type { KeeperGreeting, KeeperSettings } from './private-keeper.ts';
import { lockState, type LockHolder } from './private-lock.ts';
import { isRunning } from './private-process.ts';
import {
  explaining,
  prepareDirectory,
  privateFiles,
  readRecord,
  writeWish,
  type ServerRecord,
  type ServerWish,
  type StoreSync,
} from './private-record.ts';
import { findServerBinary, serverFloor } from './server-binary.ts';

export type { StoreSync } from './private-record.ts';

/** A private server that runs. */
export interface PrivateServer extends ServerWish {
  readonly directory: string;
  /** The address on this host, without the token. */
  readonly url: string;
  readonly token: string;
  readonly port: number;
  readonly pid: number;
  readonly version: string;
}

/** What is wanted of a private server; what is undefined is left as it is. */
export interface PrivateServerOptions {
  /** As `privateDirectory` gives it. */
  readonly directory: string;
  /** Address to listen on; default of a new server: loopback only. */
  readonly listenHost?: string | undefined;
  /** Default of a new server: `second`. */
  readonly storeSync?: StoreSync | undefined;
  /** Told in a line each what takes time. */
  readonly report: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
  /** How long the server stays after its last client; default 3 s. Only for a server that is started by this call. */
  readonly idleMs?: number | undefined;
  /** How long it waits for its first; default 30 s. */
  readonly graceMs?: number | undefined;
}

const loopback = '127.0.0.1';
const idleMsDefault = 3000;
const graceMsDefault = 30_000;
const lookMs = 50;
const patienceMs = 5000;
const startMsMax = 60_000;

/** The directory of the private server for commands that run in `cwd`: beside the nearest package.json, else there. */
export function privateDirectory(cwd: string): string {
  const start = resolve(cwd);
  for (let at = start; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return join(at, '.jugq');
    if (at === dirname(at)) return join(start, '.jugq');
  }
}

/**
 * The private server of a directory, started if it does not run.
 *
 * It may be about to end when this returns: connect, then ask `stillThere`, and if not, or if connecting fails, call this
 * again.
 *
 * @throws JugqError `SERVER_ON_OTHER_HOST` if another host or container uses the directory; `SERVER_NOT_INSTALLED`;
 *   `SERVER_FAILED` if it does not start or its files cannot be written; `INTERRUPTED` after `signal`
 */
export async function ensurePrivateServer(options: PrivateServerOptions): Promise<PrivateServer> {
  const directory = await prepareDirectory(options.directory);
  const waiting = waitingReport(options.report, directory);
  for (;;) {
    if (options.signal?.aborted === true) throw interrupted(directory, options.signal);
    const keeper = await livingKeeper(directory);
    if (keeper === undefined) {
      await startKeeper(directory, options);
      continue;
    }
    const record = await recordOf(keeper, directory);
    if (record !== undefined) {
      const wish = unfulfilled(options, record);
      if (wish === undefined) return toServer(directory, record);
      await writeWish(directory, wish);
    }
    waiting();
    await delay(lookMs);
  }
}

/**
 * The private server of a directory, if one runs; never starts any, but waits for one that is starting.
 *
 * @throws JugqError `SERVER_ON_OTHER_HOST` if another host or container uses the directory; `SERVER_FAILED` if one has
 *   been starting for a minute
 */
export async function findPrivateServer(directory: string): Promise<PrivateServer | undefined> {
  if (!existsSync(directory)) return undefined;
  const real = await explaining(directory, () => realpath(directory));
  const until = performance.now() + startMsMax;
  while (performance.now() < until) {
    const keeper = await livingKeeper(real);
    if (keeper === undefined) return orphan(real);
    const record = await recordOf(keeper, real);
    if (record !== undefined) return toServer(real, record);
    await delay(lookMs);
  }
  throw new JugqError(
    'SERVER_FAILED',
    `the private server in ${real} has been starting for ${(startMsMax / 1000).toString()} s: see ${privateFiles(real).keeperLog}`,
    { fields: { directory: real } },
  );
}

/** Whether the server is to stay for whoever has just connected to it; if not, ask for one anew. */
export async function stillThere(server: PrivateServer): Promise<boolean> {
  const record = await readRecord(server.directory);
  return record !== undefined && record.url === server.url && record.token === server.token;
}

/** A server that has lost its keeper serves all the same, and gets the next keeper soon. */
async function orphan(directory: string): Promise<PrivateServer | undefined> {
  const state = await lockState(directory);
  const record = await readRecord(directory);
  // Only a keeper of this very boot and process space left a process number that means something here.
  if (state.kind !== 'dead' || record?.keeper !== state.holder.mark) return undefined;
  const runs = await isRunning(record.pid, privateFiles(directory).configuration);
  return runs ? toServer(directory, record) : undefined;
}

async function livingKeeper(directory: string): Promise<LockHolder | undefined> {
  return explaining(directory, async () => {
    const state = await lockState(directory);
    if (state.kind === 'elsewhere') throw await onOtherHost(directory, state.holder);
    return state.kind === 'held' ? state.holder : undefined;
  });
}

/** A record of an earlier keeper says nothing about now. */
async function recordOf(keeper: LockHolder, directory: string): Promise<ServerRecord | undefined> {
  const record = await explaining(directory, () => readRecord(directory));
  return record?.keeper === keeper.mark ? record : undefined;
}

function unfulfilled(options: PrivateServerOptions, record: ServerRecord): ServerWish | undefined {
  const { listenHost = record.listenHost, storeSync = record.storeSync } = options;
  const isFulfilled = listenHost === record.listenHost && storeSync === record.storeSync;
  return isFulfilled ? undefined : { listenHost, storeSync };
}

function toServer(directory: string, record: ServerRecord): PrivateServer {
  const { url, token, port, pid, version, listenHost, storeSync } = record;
  return { directory, url, token, port, pid, version, listenHost, storeSync };
}

/**
 * Starts a keeper, and waits until it has said how that went. Two that are started at once find out who is first.
 *
 * @throws JugqError `SERVER_FAILED` with what the keeper says
 */
async function startKeeper(directory: string, options: PrivateServerOptions): Promise<void> {
  const { listenHost = loopback, storeSync = 'second', report, signal } = options;
  const { idleMs = idleMsDefault, graceMs = graceMsDefault } = options;
  const binary = await findServerBinary();
  if (binary === undefined) {
    throw new JugqError(
      'SERVER_NOT_INSTALLED',
      `no nats-server ${serverFloor} or later on this machine: put one here with "jugq server --install", name a binary in JUGQ_NATS_SERVER, or name a running server with --server`,
    );
  }
  report(`starting a private nats-server ${binary.version} in ${directory}`);
  const settings: KeeperSettings = {
    ...{ directory, idleMs, graceMs, binary: binary.path },
    mark: randomBytes(12).toString('hex'),
    wish: { listenHost, storeSync },
  };
  const greeting = await greetingOf(settings, waitingReport(report, directory), signal);
  if (greeting.kind === 'failed') throw new JugqError('SERVER_FAILED', greeting.message);
}

async function greetingOf(
  settings: KeeperSettings,
  waiting: () => void,
  signal: AbortSignal | undefined,
): Promise<KeeperGreeting> {
  const { directory } = settings;
  const { keeperLog } = privateFiles(directory);
  const log = await explaining(directory, () => Promise.resolve(openSync(keeperLog, 'a', 0o600)));
  const keeper = fileURLToPath(builtFile('broker/private-keeper.js'));
  const child = spawn(process.execPath, [keeper, JSON.stringify(settings)], {
    stdio: ['ignore', 'pipe', log],
    cwd: directory,
    // A session of its own: what ends this command, Ctrl-C or a closed terminal, must not end the server of the others.
    detached: true,
  });
  closeSync(log);
  const { stdout } = child;
  invariant(stdout !== null, 'the keeper was spawned without a pipe for its greeting');
  let output = '';
  stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  // Told by a missing process number, too.
  child.once('error', () => undefined);
  try {
    while (!output.includes('\n')) {
      if (stdout.closed || child.pid === undefined)
        return { kind: 'failed', message: keeperEnded(keeperLog) };
      if (signal?.aborted === true) throw interrupted(directory, signal);
      waiting();
      await delay(lookMs / 5);
    }
    return JSON.parse(output.slice(0, output.indexOf('\n'))) as KeeperGreeting;
  } finally {
    stdout.destroy();
    child.unref();
  }
}

function keeperEnded(log: string): string {
  return `the keeper of the private nats-server ended at its start: see ${log}`;
}

/** A sign of life every few seconds while something takes long. */
function waitingReport(report: (line: string) => void, directory: string): () => void {
  let nextAt = performance.now() + patienceMs;
  return () => {
    if (performance.now() < nextAt) return;
    nextAt = performance.now() + patienceMs;
    report(`waiting for the private nats-server in ${directory}`);
  };
}

function interrupted(directory: string, signal: AbortSignal): JugqError {
  return new JugqError('INTERRUPTED', `interrupted while starting the server in ${directory}`, {
    cause: signal.reason,
  });
}

async function onOtherHost(directory: string, holder: LockHolder): Promise<JugqError> {
  const { name } = holder.host;
  const record = await recordOf(holder, directory);
  const isOpen = record !== undefined && !/^(127\.|::1$|localhost$)/.test(record.listenHost);
  const { lock, record: file } = privateFiles(directory);
  const advice = isOpen
    ? `use it with --server nats://TOKEN@${name}:${record.port.toString()} and the token from ${file}`
    : 'run "jugq server --host 0.0.0.0" there, and give the address that it prints to --server here';
  return new JugqError(
    'SERVER_ON_OTHER_HOST',
    `the private server in ${directory} belongs to ${name} (process ${holder.pid.toString()}), and two hosts or containers cannot run servers on one store: ${advice}; if nothing of jugq runs there any more, remove ${lock}`,
    { fields: { directory, host: name, pid: holder.pid } },
  );
}
