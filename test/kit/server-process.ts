/** A nats-server of the tests as a child process. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServerBinary } from '../../broker/server-binary.ts';
import type { TestServer, TestServerOptions } from './servers.ts';

const startMs = 30_000;
const stopMs = 30_000;
const living = new Set<ChildProcess>();

// A test process that ends in the middle of a test must leave no server behind.
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** What one server keeps over its restarts. */
interface Course {
  readonly binary: ServerBinary;
  readonly options: TestServerOptions;
  readonly directory: string;
  readonly storeDir: string;
  readonly name: string;
  port: number;
  child: ChildProcess | undefined;
}

/** Starts a server from a binary. */
export async function startBinary(
  binary: ServerBinary,
  options: TestServerOptions,
): Promise<TestServer> {
  const directory = await mkdtemp(join(tmpdir(), 'jugq-test-server-'));
  const course: Course = {
    binary,
    options,
    directory,
    storeDir: options.storeDir ?? join(directory, 'store'),
    name: options.name ?? `test-${directory.slice(-6)}`,
    port: options.port ?? -1,
    child: undefined,
  };
  try {
    await start(course);
  } catch (error) {
    await remove(course);
    throw error;
  }
  return {
    binary: binary.path,
    version: binary.version,
    name: course.name,
    storeDir: course.storeDir,
    port: course.port,
    url: `nats://127.0.0.1:${course.port.toString()}`,
    get pid() {
      return course.child?.pid;
    },
    kill: (signal) => kill(course, signal),
    stop: () => kill(course, 'SIGTERM'),
    restart: async ({ emptyStore = false } = {}) => {
      await kill(course, 'SIGTERM');
      if (emptyStore) await rm(course.storeDir, { recursive: true, force: true });
      await start(course);
    },
    [Symbol.asyncDispose]: () => remove(course),
  };
}

/** Ports that nobody uses now, for what a server cannot choose by itself. */
export async function freePorts(count: number): Promise<number[]> {
  const { createServer } = await import('node:net');
  const holders = await Promise.all(
    Array.from({ length: count }, async () => {
      const holder = createServer();
      await new Promise<void>((done) => holder.listen(0, '127.0.0.1', done));
      return holder;
    }),
  );
  return Promise.all(
    holders.map(async (holder) => {
      const address = holder.address();
      await new Promise((done) => holder.close(done));
      if (address === null || typeof address === 'string') throw new Error('expected a port');
      return address.port;
    }),
  );
}

/** The configuration file of a test server. */
export function configuration(
  options: TestServerOptions,
  place: {
    readonly host: string;
    readonly port: number;
    readonly storeDir: string;
    readonly name: string;
  },
): string {
  const { token, jetStream = true, config = '' } = options;
  const quoted = (text: string): string => JSON.stringify(text);
  return [
    `host: ${quoted(place.host)}`,
    `port: ${place.port.toString()}`,
    `server_name: ${quoted(place.name)}`,
    ...(jetStream ? [`jetstream { store_dir: ${quoted(place.storeDir)} }`] : []),
    ...(token === undefined ? [] : [`authorization { token: ${quoted(token)} }`]),
    config,
    '',
  ].join('\n');
}

async function start(course: Course): Promise<void> {
  const { directory, binary, storeDir } = course;
  await mkdir(storeDir, { recursive: true });
  const file = join(directory, 'server.conf');
  const ports = `ports_file_dir: ${JSON.stringify(directory)}\n`;
  await writeFile(file, ports + configuration(course.options, { ...course, host: '127.0.0.1' }));
  const log = openSync(join(directory, 'server.log'), 'a');
  const child = spawn(binary.path, ['-c', file], { stdio: ['ignore', log, log] });
  closeSync(log);
  living.add(child);
  child.once('exit', () => living.delete(child));
  course.child = child;
  course.port = await portOf(course, child);
}

/** The server writes this file when it has begun to listen. */
async function portOf(course: Course, child: ChildProcess): Promise<number> {
  const until = performance.now() + startMs;
  for (;;) {
    const names = await readdir(course.directory);
    const name = names.find((each) => each.endsWith(`_${String(child.pid)}.ports`));
    const text = name === undefined ? '' : await readFile(join(course.directory, name), 'utf8');
    const port = /"nats":\["(?:nats|tls):\/\/127\.0\.0\.1:(\d+)"/.exec(
      text.replaceAll(/\s/g, ''),
    )?.[1];
    if (port !== undefined) return Number(port);
    if (hasEnded(child)) throw new Error(`the test server ended at its start: ${logOf(course)}`);
    if (performance.now() > until) {
      throw new Error(
        `the test server did not listen within ${startMs.toString()} ms: ${logOf(course)}`,
      );
    }
    await delay(10);
  }
}

async function kill({ child }: Course, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || hasEnded(child)) return;
  if (['SIGSTOP', 'SIGCONT', 'SIGHUP', 'SIGUSR1'].includes(signal)) {
    child.kill(signal);
    return;
  }
  // A stopped process takes no notice of anything but SIGKILL.
  if (signal !== 'SIGKILL') child.kill('SIGCONT');
  const ended = new Promise((done) => child.once('exit', done));
  child.kill(signal);
  // A server that is stuck in its shutdown must not hang the test.
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await ended;
  clearTimeout(timer);
}

async function remove(course: Course): Promise<void> {
  await kill(course, 'SIGKILL');
  await rm(course.directory, { recursive: true, force: true });
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

function logOf({ directory }: Course): string {
  return readFileSync(join(directory, 'server.log'), 'utf8').slice(-2000);
}
