/** A cluster of real servers with JetStream on loopback, for tests of replicas. */
import { setTimeout as delay } from 'node:timers/promises';
import { connect, type NatsConnection } from 'nats';
import { startRouteProxy, type RouteProxy } from './route-proxy.ts';
import { freePorts } from './server-process.ts';
import { startServer, type TestServer } from './servers.ts';

/** Servers that know each other; they end with the scope of `await using`. */
export interface TestCluster extends AsyncDisposable {
  readonly servers: readonly TestServer[];
  readonly urls: readonly string[];
  /** The server that leads a stream now; waits for one if there is none. */
  readonly leaderOf: (stream: string) => Promise<TestServer>;
}

/** A cluster of three, one of whose servers hears the others only through a proxy. */
export interface SplitCluster extends TestCluster {
  readonly far: TestServer;
  readonly link: RouteProxy;
}

const leaderMs = 60_000;

/**
 * Starts `size` servers, and returns when they have a leader for JetStream.
 *
 * @throws Error if none was elected within a minute
 */
export async function startCluster(
  size: number,
  options: { readonly binary?: string; readonly config?: string } = {},
): Promise<TestCluster> {
  return joined(await startServers(size, options));
}

/**
 * Starts three servers, and returns when they have a leader for JetStream.
 *
 * @throws Error if none was elected within a minute
 */
export async function startSplitCluster(
  options: { readonly binary?: string } = {},
): Promise<SplitCluster> {
  const [first = 0, second = 0, behind = 0] = await freePorts(3);
  const link = await startRouteProxy(behind);
  const removeLink = async (): Promise<void> => link[Symbol.asyncDispose]();
  // The far one is told of the others, and must not dial them itself: nobody listens where they are said to be.
  const nowhere = '127.0.0.1:1';
  const places: readonly Place[] = [
    { port: behind, advertise: `127.0.0.1:${link.port.toString()}`, dials: [1] },
    { port: first, advertise: nowhere, dials: [link.port] },
    { port: second, advertise: nowhere, dials: [first, link.port] },
  ];
  const started: PromiseSettledResult<TestServer>[] = [];
  for (const [index, place] of places.entries()) {
    started.push(...(await Promise.allSettled([startMember(index, place, options)])));
  }
  try {
    const cluster = await joined(started);
    const [far] = cluster.servers;
    if (far === undefined) throw new Error('expected three servers');
    const remove = async (): Promise<void> => {
      await cluster[Symbol.asyncDispose]();
      await removeLink();
    };
    return { ...cluster, far, link, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await removeLink();
    throw error;
  }
}

/** Waits until those that were started work together. */
async function joined(started: Started): Promise<TestCluster> {
  const size = started.length;
  const servers = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const remove = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  };
  const urls = servers.map((server) => server.url);
  try {
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    await asking(urls, 'a leader for JetStream', size, async (connection) => {
      await connection.jetstreamManager({ timeout: 1000 });
      return true;
    });
    // Each may know of the leader before the leader knows of all of them.
    await asking(urls, 'all its servers for a stream', 1, async (connection) => {
      const manager = await connection.jetstreamManager({ timeout: 1000, checkAPI: false });
      await manager.streams.add({ name: 'probe', subjects: ['probe'], num_replicas: size });
      return manager.streams.delete('probe');
    });
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    servers,
    urls,
    leaderOf: (stream) =>
      asking(urls, `a leader of the stream ${stream}`, 1, async (connection) => {
        const manager = await connection.jetstreamManager({ timeout: 1000, checkAPI: false });
        const leader = (await manager.streams.info(stream)).cluster?.leader;
        return servers.find((server) => server.name === leader);
      }),
    [Symbol.asyncDispose]: remove,
  };
}

type Started = readonly PromiseSettledResult<TestServer>[];

/** Routes need ports that are known before the servers run: one that was free may be taken by then. */
async function startServers(
  size: number,
  options: { readonly binary?: string; readonly config?: string },
  triesLeft = 3,
): Promise<Started> {
  const ports = await freePorts(size);
  const started: PromiseSettledResult<TestServer>[] = [];
  for (const [index, port] of ports.entries()) {
    // Each dials just one other and learns of the rest: where all dial all at once, 2.10 sometimes ends with a leader
    // that takes a living server for dead, and no stream with all replicas is ever made.
    const dials = [ports[(index + 1) % size] ?? 0];
    started.push(...(await Promise.allSettled([startMember(index, { port, dials }, options)])));
  }
  const taken = started.some(
    (each) => each.status === 'rejected' && String(each.reason).includes('address already in use'),
  );
  if (!taken || triesLeft === 0) return started;
  for (const each of started) {
    if (each.status === 'fulfilled') await each.value[Symbol.asyncDispose]();
  }
  return startServers(size, options, triesLeft - 1);
}

/** Where a server listens for routes, where the others are told that it does, and whom it dials. */
interface Place {
  readonly port: number;
  readonly advertise?: string;
  readonly dials: readonly number[];
}

function startMember(
  index: number,
  { port, advertise, dials }: Place,
  options: { readonly binary?: string; readonly config?: string },
): Promise<TestServer> {
  const routes = dials.map((each) => `nats://127.0.0.1:${each.toString()}`).join(', ');
  const said = advertise === undefined ? '' : `, advertise: "${advertise}"`;
  const cluster = `cluster { name: test, host: 127.0.0.1, port: ${port.toString()}${said}, routes: [${routes}] }`;
  return startServer({
    ...options,
    name: `n${(index + 1).toString()}`,
    config: `${cluster}\n${options.config ?? ''}`,
  });
}

/** Asks again until the first `count` servers have answered; an error counts as not yet. */
async function asking<T>(
  urls: readonly string[],
  what: string,
  count: number,
  ask: (connection: NatsConnection) => Promise<T | undefined>,
): Promise<T> {
  const until = performance.now() + leaderMs;
  let answered = 0;
  let problem: unknown;
  for (;;) {
    // One that is dead or paused must not keep us from asking the others.
    const servers = count === 1 ? [...urls] : [urls[answered] ?? ''];
    try {
      const connection = await connect({ servers, reconnect: false, timeout: 1000 });
      try {
        const answer = await ask(connection);
        if (answer !== undefined && ++answered === count) return answer;
        if (answer !== undefined) continue;
      } finally {
        await connection.close();
      }
    } catch (error) {
      problem = error;
    }
    if (performance.now() > until) {
      throw new Error(`the cluster did not get ${what} within ${leaderMs.toString()} ms`, {
        cause: problem,
      });
    }
    await delay(50);
  }
}
