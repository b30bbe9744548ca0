/** `jugq server`: holds a connection to the private server, which lives as long as somebody has one. */
import { hostname, networkInterfaces } from 'node:os';
import { connectBroker } from '../broker/connection.ts';
import {
  ensurePrivateServer,
  privateDirectory,
  type PrivateServer,
} from '../broker/private-server.ts';
import { installServer } from '../broker/server-install.ts';
import { JugqError } from '../core/errors.ts';
import type { CommandContext } from './commands/base.ts';
import { loadSettings, type LoadedSettings } from './settings.ts';

const syncs = ['second', 'always'] as const;

/** Makes sure that there is a nats-server, and prints where. */
export async function installOnly(context: CommandContext): Promise<number> {
  const binary = await installServer((line) => context.stderr.write(`${line}\n`));
  context.stdout.write(`${binary.path}\n`);
  return 0;
}

/** Keeps the private server of this directory up until it is interrupted. */
export async function keepServer(
  loaded: LoadedSettings,
  wish: {
    readonly host: string | undefined;
    readonly sync: string | undefined;
    readonly context: CommandContext;
  },
): Promise<number> {
  const { context, host } = wish;
  const say = (line: string): void => void context.stderr.write(`${line}\n`);
  const storeSync = syncs.find((each) => each === wish.sync);
  if (wish.sync !== undefined && storeSync === undefined) {
    throw new JugqError('USAGE', `--sync: expected second or always, got ${wish.sync}`);
  }
  const server = await ensurePrivateServer({
    directory: privateDirectory(context.cwd),
    listenHost: host,
    storeSync,
    report: say,
    signal: context.interrupted,
  });
  const connection = await connectBroker(
    {
      servers: [server.url],
      name: 'jugq server',
      login: { kind: 'token', token: server.token },
      origins: { servers: server.directory, login: server.directory },
    },
    (notice) => {
      say(notice.message);
    },
  );
  const address = addressFor(server, host === undefined ? '127.0.0.1' : reachableHost(host));
  context.stdout.write(`${address}\n`);
  if (host !== undefined) {
    say('start a worker on another machine with');
    say(`  jugq worker --project ${loaded.settings.project} --server ${address}`);
  }
  // What this command was given as flags, others are not.
  const others = loadSettings({ flags: {}, env: context.env, cwd: context.cwd });
  say(`${whoFindsIt(others)}; interrupt to end it`);
  await new Promise<void>((resolve) => {
    context.interrupted.addEventListener('abort', () => {
      resolve();
    });
    if (context.interrupted.aborted) resolve();
  });
  await connection.close();
  return 0;
}

/**
 * Whether commands in this directory use the private server.
 *
 * @param others - what such a command reads that is given no flags
 */
export function whoFindsIt({ origins }: LoadedSettings): string {
  const named = origins.find(({ key }) => key === 'server');
  const servers = Array.isArray(named?.value) ? named.value : [];
  if (named === undefined || servers.length === 0)
    return 'commands in this directory find it by themselves';
  return `commands in this directory use ${servers.join(',')} instead, from ${named.origin}: take that away, or give them --server with this address`;
}

/** With the token, as `--server` takes it. */
function addressFor(server: PrivateServer, host: string): string {
  const written = host.includes(':') ? `[${host}]` : host;
  return `nats://${server.token}@${written}:${server.port.toString()}`;
}

/** Where others reach a server that listens on this address; the ones that stand for all lead nowhere from elsewhere. */
export function reachableHost(
  host: string,
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): string {
  if (host !== '0.0.0.0' && host !== '::') return host.replace(/^\[(.*)\]$/, '$1');
  const outside = Object.values(interfaces).flatMap((each) => each ?? []);
  const found = outside.find((each) => each.family === 'IPv4' && !each.internal);
  return found?.address ?? hostname();
}
