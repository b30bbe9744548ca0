/** A nats-server with exactly the configuration that a test writes, on a port that survives its restart. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const serverFolder = '/opt/nats-servers';

export interface PlainServer extends AsyncDisposable {
  readonly port: number;
  readonly directory: string;
  /** Writes another configuration and has the server read it. */
  reload(config: string): void;
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** Starts a server; `config` may name files of `directory`. */
export async function startPlainServer(
  options: { version?: string; config?: string; directory?: string } = {},
): Promise<PlainServer> {
  const { version = '2.10.27', config = 'jetstream {}' } = options;
  const own = mkdtempSync(join(tmpdir(), 'jugq-server-'));
  const directory = options.directory ?? own;
  const file = join(own, 'server.conf');
  const port = await freePort();
  const write = (text: string): void => {
    const jetstream = text.replace('jetstream {}', `jetstream { store_dir: "${own}" }`);
    writeFileSync(file, `listen: 127.0.0.1:${port.toString()}\n${jetstream}\n`);
  };
  write(config);
  let child: ChildProcess | undefined;
  let said = '';
  const server: PlainServer = {
    port,
    directory,
    reload: (text) => {
      write(text);
      child?.kill('SIGHUP');
    },
    signal: (name) => {
      child?.kill(name);
    },
    start: async () => {
      child = spawn(join(serverFolder, `nats-server-${version}`), ['-c', file], {
        cwd: directory,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      said = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
      await listening(port, child, () => said);
    },
    stop: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop();
      rmSync(own, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** A port that nobody listens on. */
export async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}

async function listening(port: number, child: ChildProcess, said: () => string): Promise<void> {
  const until = performance.now() + 10_000;
  while (performance.now() < until) {
    if (child.exitCode !== null) throw new Error(`the server ended: ${said()}`);
    const socket = createConnection({ port, host: '127.0.0.1' });
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not listen on ${port.toString()} within 10 s`);
}
