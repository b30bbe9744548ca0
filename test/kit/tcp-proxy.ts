/** A link between a client and a test server that a test can cut, hold up, make silent or listen in on. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends all links at once; new ones are let through. */
  readonly cut: () => void;
  /** From now on drops what the server says on the links that are there, and lets the client talk. */
  readonly mute: () => void;
  /** Holds up what either side says, on the links that are there, until `resume`. */
  readonly stall: () => void;
  readonly resume: () => void;
  /**
   * Calls back when a client says this, as soon as it has been handed on: the next time only.
   *
   * @returns stops listening
   */
  readonly whenSaid: (text: string, act: () => void) => () => void;
}

interface Ear {
  readonly text: string;
  readonly act: () => void;
}

interface Link {
  readonly client: Socket;
  readonly server: Socket;
  /** The end of what the client has said, in which a text may begin. */
  tail: string;
}

/** Starts a proxy to a port of this machine; it ends with the scope of `await using`. */
export async function startProxy(target: number): Promise<TcpProxy> {
  const links = new Set<Link>();
  const ears = new Set<Ear>();
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    const link: Link = { client, server, tail: '' };
    links.add(link);
    client.on('data', (data) => {
      // After the listener below has handed it on.
      if (ears.size > 0) process.nextTick(() => listen(link, data, ears));
    });
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
    stall: () => {
      for (const { client, server } of links) for (const each of [client, server]) each.pause();
    },
    resume: () => {
      for (const { client, server } of links) for (const each of [client, server]) each.resume();
    },
    whenSaid: (text, act) => {
      const ear = { text, act };
      ears.add(ear);
      return () => {
        ears.delete(ear);
      };
    },
    [Symbol.asyncDispose]: async () => {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}

const tailMax = 200;

function listen(link: Link, data: Buffer, ears: Set<Ear>): void {
  const said = link.tail + data.toString('latin1');
  link.tail = said.slice(-tailMax);
  for (const ear of ears) {
    if (!said.includes(ear.text)) continue;
    ears.delete(ear);
    ear.act();
  }
}
