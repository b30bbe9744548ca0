/** Runs the built command line as a user would, in a directory of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = join(root, 'dist', 'cli', 'main.js');

/** What a command printed and how it ended. */
export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export interface Started {
  readonly process: ChildProcess;
  readonly pid: number;
  /** Everything printed so far, both streams as they came. */
  readonly output: () => string;
  /** Resolves when the text has been printed; rejects when the command ends without it, or the deadline passes. */
  readonly printed: (text: string | RegExp) => Promise<void>;
  readonly finished: Promise<Finished>;
}

/** A user's directory: removed at the end of the scope, with whatever still runs there. */
export interface UserDirectory extends AsyncDisposable {
  readonly path: string;
  readonly env: NodeJS.ProcessEnv;
  write(name: string, text: string): Promise<void>;
  start(...args: string[]): Started;
  /** As `start`, with more in its environment. */
  startWith(env: Readonly<Record<string, string>>, ...args: string[]): Started;
  run(...args: string[]): Promise<Finished>;
  /** Runs a command that prints JSON, and gives the last line's. */
  json<T>(...args: string[]): Promise<T>;
}

const deadlineMs = 60_000;
const living = new Set<ChildProcess>();

// A test process that ends in the middle of a test must leave no command behind.
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/**
 * Makes a user's directory with `jugq` installed.
 *
 * @param files - by name
 * @param env - beside PATH and HOME; nothing else of the caller's environment is seen
 */
export async function userDirectory(
  files: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {},
): Promise<UserDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'jugq-user-'));
  await mkdir(join(path, 'node_modules'));
  await symlink(root, join(path, 'node_modules', 'jugq'));
  const children = new Set<ChildProcess>();
  const directory: UserDirectory = {
    path,
    env: { ...inherited(), ...env },
    async write(name, text) {
      await mkdir(dirname(join(path, name)), { recursive: true });
      await writeFile(join(path, name), text);
    },
    start: (...args) => directory.startWith({}, ...args),
    startWith(more, ...args) {
      const started = start({ path, env: { ...directory.env, ...more } }, args);
      children.add(started.process);
      started.process.once('exit', () => children.delete(started.process));
      return started;
    },
    run: (...args) => directory.start(...args).finished,
    async json<T>(...args: string[]): Promise<T> {
      const { stdout, stderr, status } = await directory.run(...args);
      const line = stdout.trimEnd().split('\n').at(-1) ?? '';
      try {
        return JSON.parse(line) as T;
      } catch {
        throw new Error(
          `jugq ${args.join(' ')} printed no JSON (status ${String(status)}):\n${stdout}\n${stderr}`,
        );
      }
    },
    async [Symbol.asyncDispose]() {
      for (const child of children) child.kill('SIGKILL');
      await Promise.all([...children].map((child) => once(child, 'exit')));
      await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    },
  };
  await directory.write('package.json', '{ "name": "trial", "type": "module" }\n');
  for (const [name, text] of Object.entries(files)) await directory.write(name, text);
  return directory;
}

/** A user's own settings must not reach the tests. */
function inherited(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, XDG_CACHE_HOME, JUGQ_NATS_SERVER } = process.env;
  const known = { PATH, HOME, TMPDIR, XDG_CACHE_HOME, JUGQ_NATS_SERVER };
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined));
}

function start(directory: Pick<UserDirectory, 'path' | 'env'>, args: readonly string[]): Started {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: directory.path,
    env: directory.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  living.add(child);
  child.once('exit', () => living.delete(child));
  let stdout = '';
  let stderr = '';
  let both = '';
  const listeners = new Set<() => void>();
  const hear = (text: string): void => {
    both += text;
    for (const listener of [...listeners]) listener();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    hear(text);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    hear(text);
  });
  const finished = once(child, 'close').then(([status, signal]: unknown[]) => ({
    status: status as number | null,
    signal: signal as NodeJS.Signals | null,
    stdout,
    stderr,
  }));
  return {
    process: child,
    pid: child.pid ?? -1,
    output: () => both,
    finished,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const there = typeof text === 'string' ? both.includes(text) : text.test(both);
          if (there) settle(resolve);
        };
        const settle = (act: () => void): void => {
          clearTimeout(timer);
          listeners.delete(look);
          act();
        };
        const missing = (why: string) => (): void => {
          settle(() => {
            reject(new Error(`${why} before ${String(text)} was printed; it printed:\n${both}`));
          });
        };
        const timer = setTimeout(missing('the deadline passed'), deadlineMs);
        listeners.add(look);
        void finished.then(() => {
          look();
          if (listeners.has(look)) missing('the command ended')();
        });
        look();
      }),
  };
}
