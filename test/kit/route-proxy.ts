/**
 * A link between test servers that can lose what the copies of one stream say to each other, and nothing else: the copy
 * behind it stays as it is, while its server goes on to answer clients and to hand their questions on.
 *
 * It knows just enough of the protocol of routes to tell messages apart.
 *
 * @see nats-server, server/route.go and server/parser.go: `RMSG [account] subject [reply] size`, `HMSG …` with headers
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface RouteProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on loses messages whose subject has this in it, both ways, on all links. */
  readonly lose: (text: string) => void;
  /** Loses nothing more. */
  readonly restore: () => void;
  /** How many messages were lost. */
  readonly lost: number;
}

/** Starts a proxy to the port for routes of a server on this machine; it ends with the scope of `await using`. */
export async function startRouteProxy(target: number): Promise<RouteProxy> {
  const sockets = new Set<Socket>();
  let losing: string | undefined;
  let lost = 0;
  const isLost = (line: string): boolean => {
    if (losing === undefined || !isMessage(line) || !line.includes(losing)) return false;
    lost++;
    return true;
  };
  const listener = createServer((client) => {
    const server = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(from);
      const take = sieve(isLost);
      from.on('data', (data) => to.write(take(data)));
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        sockets.delete(from);
      });
    }
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return {
    port: address.port,
    lose: (text) => {
      losing = text;
    },
    restore: () => {
      losing = undefined;
    },
    get lost() {
      return lost;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

function isMessage(line: string): boolean {
  return line.startsWith('RMSG ') || line.startsWith('HMSG ');
}

const lineEnd = '\r\n';

/** Hands on whole lines, each with the payload that it announces, except those that are to be lost. */
function sieve(isLost: (line: string) => boolean): (data: Buffer) => Buffer {
  let rest: Buffer = Buffer.alloc(0);
  return (data) => {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    const kept: Buffer[] = [];
    let at = 0;
    for (;;) {
      const end = rest.indexOf(lineEnd, at);
      if (end === -1) break;
      const line = rest.toString('latin1', at, end);
      const size = isMessage(line) ? Number(line.slice(line.lastIndexOf(' ') + 1)) + 2 : 0;
      const next = end + lineEnd.length + size;
      if (next > rest.length) break;
      if (!isLost(line)) kept.push(rest.subarray(at, next));
      at = next;
    }
    rest = rest.subarray(at);
    return Buffer.concat(kept);
  };
}
