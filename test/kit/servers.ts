/**
 * Real NATS servers for tests: each on loopback, on a port and a store of its own, and gone with the test.
 *
 * Which binaries: those of `JUGQ_TEST_SERVERS=path[:path…]`, else the one that jugq itself would use, else a container.
 */
import { isAbsolute, resolve } from 'node:path';
import {
  findServerBinary,
  isNewEnough,
  readServerVersion,
  type ServerBinary,
} from '../../broker/server-binary.ts';
import { isCommand } from '../../broker/server-command.ts';
import { startBinary } from './server-process.ts';

/** What a test may want of its server. */
export interface TestServerOptions {
  /** A `path` of `testServers`; default: the first of them. */
  readonly binary?: string;
  /** Lines of the server's configuration language, added at the end. */
  readonly config?: string;
  /** Demand this token. */
  readonly token?: string;
  /** Default: true. */
  readonly jetStream?: boolean;
  /** Default: a temporary directory, which goes with the server; one that is given stays. */
  readonly storeDir?: string;
  /** Default: one that is free. */
  readonly port?: number;
  readonly name?: string;
}

/** A server that runs, or did; it ends with the scope of `await using`, or with the process at the latest. */
export interface TestServer extends AsyncDisposable {
  /** Without a token. */
  readonly url: string;
  readonly port: number;
  /** Of the process that runs now or ran last; undefined in a container. */
  readonly pid: number | undefined;
  readonly binary: string;
  readonly version: string;
  readonly name: string;
  readonly storeDir: string;
  /** Sends a signal; of one that ends the server, waits for the end. */
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
  /** Ends the server in order. */
  readonly stop: () => Promise<void>;
  /** Starts it again on the same port, with the same store or an empty one; ends it before if it runs. */
  readonly restart: (options?: { readonly emptyStore?: boolean }) => Promise<void>;
}

const containerPrefix = 'docker:';
const containerImage = 'nats:2.10-alpine';

/**
 * The servers that the conformance tests are to pass on, the default one first.
 *
 * @throws Error that says what to do if there is none
 */
export async function testServers(): Promise<readonly ServerBinary[]> {
  const named = await namedServers();
  const good = named.filter((each) => isNewEnough(each.version));
  if (good.length > 0) return good;
  const found = await findServerBinary();
  if (found !== undefined) return [found];
  if (await isCommand('docker')) {
    return [{ path: `${containerPrefix}${containerImage}`, version: '2.10' }];
  }
  throw new Error('no nats-server to test with: run "npm run setup", or set JUGQ_TEST_SERVERS');
}

/** Those of `JUGQ_TEST_SERVERS` that jugq must refuse. */
export async function oldTestServers(): Promise<readonly ServerBinary[]> {
  return (await namedServers()).filter((each) => !isNewEnough(each.version));
}

/**
 * Starts a server, and returns when clients can connect and JetStream has read its store.
 *
 * @throws Error with the end of the server's log if it does not come up
 */
export async function startServer(options: TestServerOptions = {}): Promise<TestServer> {
  const binary = options.binary ?? (await testServers())[0]?.path ?? '';
  if (binary.startsWith(containerPrefix)) {
    // Loaded only where it is needed: it takes a while.
    const { startContainer } = await import('./server-container.ts');
    return startContainer(binary.slice(containerPrefix.length), options);
  }
  return startBinary({ path: binary, version: await readServerVersion(binary) }, options);
}

async function namedServers(): Promise<ServerBinary[]> {
  const paths = (process.env['JUGQ_TEST_SERVERS'] ?? '').split(':').filter((path) => path !== '');
  return Promise.all(
    paths.map(async (named) => {
      const path = isAbsolute(named) ? named : resolve(named);
      return { path, version: await readServerVersion(path) };
    }),
  );
}
