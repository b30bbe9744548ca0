/**
 * The keeper: the process that has a private directory's nats-server as its child, and ends both when nobody is left.
 *
 * Started by the first command that needs the server, detached, with its settings as its one argument. Guarantees:
 * - At most one keeper, and so one server, works on a directory: it holds the lock before it touches anything, and stops
 *   when it finds that it has lost it (somebody removed the file, or the directory).
 * - The server ends some seconds after its last client, however that one ended: what counts is connections.
 * - A server that dies is started again on its port, a few times in a row at most.
 * - A keeper that is killed has a successor at once: a shell waits for the end of a pipe from the keeper and becomes the
 *   next keeper, which adopts the server. Clients notice nothing. Ending the server with its keeper instead would be as
 *   simple, but would take a healthy server from them. (`prctl` and its like exist on Linux only.)
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, closeSync, openSync, statSync, truncateSync } from 'node:fs';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { isJugqError } from '../core/errors.ts';
import { ownHost } from './private-host.ts';
import {
  adoptServer,
  countClients,
  endServer,
  launchServer,
  type RunningServer,
} from './private-launch.ts';
import { hasLock, releaseLock, takeLock, type LockHolder } from './private-lock.ts';
import { holdOpen, makePipe } from './private-process.ts';
import {
  explaining,
  privateFiles,
  readRecord,
  readWish,
  removeRecord,
  removeWish,
  writeRecord,
  type ServerWish,
} from './private-record.ts';

/** What a keeper is started with, as JSON in its argument. */
export interface KeeperSettings {
  readonly directory: string;
  readonly binary: string;
  /** Random: shows that a process is this keeper. */
  readonly mark: string;
  readonly wish: ServerWish;
  /** How long the server stays without any client. */
  readonly idleMs: number;
  /** The same after each start, when clients are yet to come. */
  readonly graceMs: number;
}

/** What a keeper says on its stdout, once: `taken` if another one is at work already. */
export type KeeperGreeting =
  { readonly kind: 'ready' | 'taken' } | { readonly kind: 'failed'; readonly message: string };

/** Why a keeper's watch over a running server ended. */
type Turn =
  | { readonly kind: 'idle' | 'replaced' | 'asked' }
  | { readonly kind: 'died'; readonly how: string }
  | { readonly kind: 'wish'; readonly wish: ServerWish };

const lookMs = 1000;
const deathsMax = 5;
/** A server that lived this long has not died of its start. */
const healthyMs = 30_000;
const logBytesMax = 1024 * 1024;

const settings = JSON.parse(process.argv[2] ?? '{}') as KeeperSettings;
const { directory } = settings;
const files = privateFiles(directory);
const stopping = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.on(signal, () => {
    stopping.abort();
  });
}
// What the server writes is nobody else's business, either.
process.umask(0o077);
// Whoever started us may be gone before it has read our greeting.
process.stdout.on('error', () => undefined);

const holder: LockHolder = { mark: settings.mark, pid: process.pid, host: await ownHost() };
try {
  const greeting = await explaining(directory, begin);
  if (greeting !== undefined) greet(greeting);
} catch (error) {
  const message = messageOf(error);
  log(message);
  greet({ kind: 'failed', message });
  process.exitCode = 1;
}

/** Works to the end if there is no other keeper. */
async function begin(): Promise<KeeperGreeting | undefined> {
  await makePipe(files.presence);
  if ((await takeLock(directory, holder)) !== undefined) return { kind: 'taken' };
  // Not before: our own hold would make the lock of a container that is gone look alive.
  const presence = holdOpen(files.presence);
  const successor = startSuccessor();
  try {
    await keep(presence);
    return undefined;
  } finally {
    await endSuccessor(successor);
    await releaseLock(directory, holder);
  }
}

/** Follows the server through all its turns, to its end. */
async function keep(presence: number | undefined): Promise<void> {
  trimLog();
  await removeWish(directory);
  const left = await readRecord(directory);
  const token = left?.token ?? randomBytes(24).toString('base64url');
  const options = { directory, binary: settings.binary, keeper: settings.mark, token, presence };
  const adopted = await adoptServer(directory, left, settings.mark);
  // Clients that have outlived server and keeper find the new one under the old address.
  const port = left?.port ?? -1;
  let server = adopted ?? (await launchServer({ ...options, ...settings.wish, port }));
  let deaths = 0;
  for (;;) {
    const startedAt = performance.now();
    const turn = await serve(server);
    if (turn.kind !== 'wish' && turn.kind !== 'died') return;
    if (turn.kind === 'died') deaths = performance.now() - startedAt > healthyMs ? 1 : deaths + 1;
    const wish = turn.kind === 'wish' ? turn.wish : server.record;
    const next = { ...options, ...wish, port: server.record.port };
    for (;;) {
      if (deaths > 1) await delay(100 * 2 ** deaths);
      try {
        server = await launchServer(next);
        break;
      } catch (error) {
        log(messageOf(error));
        // What keeps a server from starting may pass, such as a full disk; and clients wait.
        if (++deaths > deathsMax || stopping.signal.aborted) throw error;
      }
    }
  }
}

/** Lets commands use a server until something must be done about it; it has ended then. */
async function serve(server: RunningServer): Promise<Turn> {
  const { pid, url } = server.record;
  let graceMs = settings.graceMs;
  try {
    for (;;) {
      await writeRecord(directory, server.record);
      greet({ kind: 'ready' });
      log(`the server ${pid.toString()} answers on ${url}`);
      const turn = await watch(server, graceMs);
      log(`the server ${pid.toString()} is left: ${turn.kind === 'died' ? turn.how : turn.kind}`);
      if (turn.kind !== 'idle' || !(await isWantedAfterAll(server))) return turn;
      graceMs = settings.idleMs;
    }
  } finally {
    await removeOwnRecord();
    await endServer(server, directory);
  }
}

/** Waits until something must be done about the server. */
async function watch(server: RunningServer, graceMs: number): Promise<Turn> {
  const died = server.ended.then((how): Turn => ({ kind: 'died', how }));
  const startedAt = performance.now();
  let usedAt: number | undefined;
  for (;;) {
    // The first command may come and go quickly.
    const turn = await Promise.race([died, pause(usedAt === undefined ? lookMs / 5 : lookMs)]);
    if (turn !== undefined) return turn;
    if (!(await hasLock(directory, holder))) return { kind: 'replaced' };
    const wish = await takeWish(server);
    if (wish !== undefined) return { kind: 'wish', wish };
    const now = performance.now();
    const clients = await countClients(server.connection);
    // A server that is paused or busy must not count as unused.
    if (clients === undefined) usedAt &&= now;
    else if (clients > 0) usedAt = now;
    else if (usedAt === undefined ? now - startedAt > graceMs : now - usedAt > settings.idleMs) {
      return { kind: 'idle' };
    }
  }
}

/** What a command wants changed, unless the server is so already. */
async function takeWish({ record }: RunningServer): Promise<ServerWish | undefined> {
  const wish = await readWish(directory);
  if (wish === undefined) return undefined;
  await removeWish(directory);
  const isGranted = wish.listenHost === record.listenHost && wish.storeSync === record.storeSync;
  return isGranted ? undefined : wish;
}

async function pause(ms: number): Promise<Turn | undefined> {
  return delay(ms, undefined, { signal: stopping.signal }).catch(() => ({ kind: 'asked' }));
}

/**
 * Whether somebody came in the last moment.
 *
 * Safe because a command looks for the record again after it has connected: either it connects before we count, and we
 * stay; or it finds no record, and asks for a server anew.
 */
async function isWantedAfterAll(server: RunningServer): Promise<boolean> {
  await removeOwnRecord();
  return (await countClients(server.connection)) !== 0;
}

/** Without the lock, what is there is another keeper's. */
async function removeOwnRecord(): Promise<void> {
  if (await hasLock(directory, holder)) await removeRecord(directory);
}

function greet(greeting: KeeperGreeting): void {
  process.stdout.write(`${JSON.stringify(greeting)}\n`);
}

/** A shell that costs next to nothing, and becomes the next keeper when our end of the pipe closes. */
function startSuccessor(): ChildProcess {
  const next: KeeperSettings = { ...settings, mark: randomBytes(12).toString('hex') };
  const [file = ''] = process.argv.slice(1);
  const keeper = [process.execPath, ...process.execArgv, file, JSON.stringify(next)];
  const output = openSync(files.keeperLog, 'a', 0o600);
  const child = spawn(
    '/bin/sh',
    ['-c', 'while read -r line; do :; done; exec "$@" </dev/null', 'sh', ...keeper],
    { stdio: ['pipe', output, output], detached: true },
  );
  closeSync(output);
  return child;
}

async function endSuccessor(successor: ChildProcess): Promise<void> {
  if (successor.exitCode !== null || successor.signalCode !== null) return;
  const ended = once(successor, 'exit');
  successor.kill('SIGKILL');
  await ended;
}

/** What cannot be written, on a full disk or in a directory that was removed, is not worth the server's life. */
function log(line: string): void {
  try {
    appendFileSync(files.keeperLog, `${new Date().toISOString()} ${line}\n`, { mode: 0o600 });
  } catch (error) {
    process.stderr.write(`${messageOf(error)}: ${line}\n`);
  }
}

function messageOf(error: unknown): string {
  if (isJugqError(error)) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function trimLog(): void {
  const size = statSync(files.keeperLog, { throwIfNoEntry: false })?.size ?? 0;
  if (size > logBytesMax) truncateSync(files.keeperLog);
}
