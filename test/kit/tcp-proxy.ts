/** A link between a client and a test server that a test can cut or make silent. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends all links at once; new ones are let through. */
  readonly cut: () => void;
  /** From now on drops what the server says on the links that are there, and lets the client talk. */
  readonly mute: () => void;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

/** Starts a proxy to a port of this machine; it ends with the scope of `await using`. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const links = new Set<Link>();
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    const link = { client, server };
    links.add(link);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (data) => to.write(data));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        links.delete(link);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  const cut = (): void => {
    for (const { client, server } of links) {
      client.destroy();
      server.destroy();
    }
  };
  return {
    port: address.port,
    cut,
    mute: () => {
      for (const { server } of links) {
        server.removeAllListeners('data');
        server.resume();
      }
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}
