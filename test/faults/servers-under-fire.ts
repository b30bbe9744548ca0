/** One server, or three that replicate: killed, paused, restarted with their data or without. */
import { setTimeout as delay } from 'node:timers/promises';
import { startCluster, type TestCluster } from '../kit/cluster.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

export interface ServersUnderFire extends AsyncDisposable {
  readonly servers: readonly TestServer[];
  readonly replicas: number;
  /** The server whose loss hurts: the leader of the stream, or the only one. */
  readonly leader: (stream: string) => Promise<TestServer>;
}

/** Starts one server or a cluster of three. */
export async function startUnderFire(binary: string, size: 1 | 3): Promise<ServersUnderFire> {
  if (size === 1) {
    const server = await startServer({ binary });
    return {
      servers: [server],
      replicas: 1,
      leader: () => Promise.resolve(server),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  }
  const cluster = await startPatiently(size, binary);
  return {
    servers: cluster.servers,
    replicas: size,
    leader: cluster.leaderOf,
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

/** On a busy machine three servers of 2.10 sometimes never agree on who is there: then others are started. */
async function startPatiently(size: number, binary: string, triesLeft = 3): Promise<TestCluster> {
  try {
    return await startCluster(size, { binary });
  } catch (error) {
    if (triesLeft === 0) throw error;
    return startPatiently(size, binary, triesLeft - 1);
  }
}

/** SIGKILL, a moment of nothing, and the same server again. */
export async function killAndRestart(
  server: TestServer,
  pauseMs: number,
  options: { readonly emptyStore: boolean },
): Promise<void> {
  await server.kill('SIGKILL');
  await delay(pauseMs);
  await server.restart(options);
}

/** Stops a server for a while. */
export async function pause(server: TestServer, ms: number): Promise<void> {
  await server.kill('SIGSTOP');
  await delay(ms);
  await server.kill('SIGCONT');
}
