/** Servers and worker processes of peers: on loopback, with a directory that goes with them, and gone with the scope. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const deadlineMs = 180_000;
const startMs = 30_000;
/** With the signal that ends each of them at once, and all that it has started. */
const living = new Map<ChildProcess, NodeJS.Signals>();

// A benchmark that is interrupted must leave nothing behind.
process.on('exit', () => {
  for (const [child, signal] of living) child.kill(signal);
});

/** The user to be, where a program refuses to be root. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A directory of its own, removed at the end of the scope. */
export interface Directory extends AsyncDisposable {
  readonly path: string;
}

/** Makes an empty directory under the system's temporary one. */
export async function openDirectory(owner?: Owner): Promise<Directory> {
  const path = await mkdtemp(join(tmpdir(), 'jugq-bench-peer-'));
  if (owner !== undefined) await chown(path, owner.uid, owner.gid);
  return {
    path,
    [Symbol.asyncDispose]: () =>
      rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }),
  };
}

/** Processes that end with the scope, and at once: nothing that a peer has stored is wanted any more. */
export type Running = AsyncDisposable;

/**
 * Starts a server, and returns when it answers.
 *
 * @throws Error if it ends or does not answer in half a minute
 */
export async function startPeerServer(server: {
  readonly command: string;
  readonly args: readonly string[];
  readonly owner?: Owner | undefined;
  readonly cwd: string;
  /** Ends it at once, and all that it has started; default: SIGKILL. */
  readonly signal?: NodeJS.Signals;
  /** Asks it. */
  readonly answers: () => Promise<boolean>;
}): Promise<Running> {
  const { command, args, owner, cwd, signal = 'SIGKILL', answers } = server;
  const child = track(spawn(command, args, { cwd, stdio: 'ignore', ...owner }), signal);
  const until = performance.now() + startMs;
  while (!(await answers())) {
    if (child.exitCode !== null) throw new Error(`${command} ended as soon as it was started`);
    if (performance.now() > until) throw new Error(`${command} does not answer`);
    await delay(20);
  }
  return running([child]);
}

/**
 * Starts worker processes, and returns when each has said that it is ready.
 *
 * @param program - beside this file
 * @param settings - given to each as `PEER_SETTINGS`, in JSON
 */
export async function startPeerWorkers(
  program: string,
  count: number,
  settings: unknown,
): Promise<Running> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const env = { ...process.env, PEER_SETTINGS: JSON.stringify(settings) };
  const children = Array.from({ length: count }, () => track(fork(path, [], { env }), 'SIGKILL'));
  await Promise.all(
    children.map((child) =>
      Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(() => {
          throw new Error(`${program} ended before it was ready`);
        }),
      ]),
    ),
  );
  return running(children);
}

/** In a worker process: its settings; it is ready once `ready` is called, and ends with its parent. */
export function workerSettings<T>(): T {
  process.once('disconnect', () => process.exit(0));
  return JSON.parse(process.env['PEER_SETTINGS'] ?? '') as T;
}

/** In a worker process: tells the parent that work can come. */
export function ready(): void {
  process.send?.('ready');
}

/** Asks again and again, seldom enough to be no burden, until the answer is yes. */
export async function waitUntil(what: string, ask: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + deadlineMs;
  while (!(await ask())) {
    if (performance.now() > until) throw new Error(`waited in vain for ${what}`);
    await delay(50);
  }
}

function track(child: ChildProcess, signal: NodeJS.Signals): ChildProcess {
  living.set(child, signal);
  child.once('exit', () => living.delete(child));
  return child;
}

function running(children: readonly ChildProcess[]): Running {
  return {
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map(end));
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  const signal = living.get(child);
  if (signal === undefined) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}
