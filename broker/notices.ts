/** What happens to a connection while it lives, told once each, and a dead link that is cut off for the client. */
import { DebugEvents, Events, type NatsConnection, type Status } from 'nats';
import { Socket } from 'node:net';
import { JugqError } from '../core/errors.ts';
import { describeLogin, type Login } from './login.ts';
import { isLoginRefused, toJugqError } from './nats-errors.ts';

/** A change of the connection; `message` says it to a person. */
export type Notice =
  | { readonly kind: 'disconnected'; readonly message: string; readonly server: string }
  | {
      readonly kind: 'reconnected';
      readonly message: string;
      readonly server: string;
      readonly awayMs: number;
    }
  /** The server is there and does not accept the login any more; it is tried again and again. Told once an outage. */
  | { readonly kind: 'refused'; readonly message: string; readonly server: string }
  /** The server asks its clients to leave because it is about to stop. */
  | { readonly kind: 'leaving'; readonly message: string; readonly server: string }
  /** The server complained, as about a missing permission. The same is told once a minute. */
  | { readonly kind: 'error'; readonly message: string; readonly error: JugqError }
  /** The end, by something else than `close`. */
  | { readonly kind: 'closed'; readonly message: string; readonly error: JugqError };

interface Watching {
  /** Gets the hosts that the server names as its cluster's. */
  readonly trustedHosts: Set<string>;
  readonly login: Login;
  readonly onNotice: (notice: Notice) => void;
}

interface Outage {
  readonly since: number;
  refused: boolean;
}

/** Calls back with every change until the connection is closed. */
export function watchConnection(connection: NatsConnection, watching: Watching): void {
  learnHosts(connection.info?.connect_urls ?? [], watching.trustedHosts);
  void follow(connection, watching);
  void connection.closed().then((reason) => {
    if (!(reason instanceof Error)) return;
    const error = toJugqError(reason, 'the connection to the NATS server has ended');
    watching.onNotice({ kind: 'closed', message: error.message, error });
  });
}

async function follow(connection: NatsConnection, watching: Watching): Promise<void> {
  const { onNotice } = watching;
  let outage: Outage | undefined;
  const complained = new Map<string, number>();
  for await (const status of connection.status()) {
    const server = connection.getServer();
    switch (status.type) {
      case Events.Disconnect:
        // Comes again for every attempt that the server accepts and then refuses.
        if (outage !== undefined) break;
        outage = { since: performance.now(), refused: false };
        onNotice({ kind: 'disconnected', message: lostText(server), server });
        break;
      case Events.Reconnect: {
        if (outage === undefined) break;
        const awayMs = Math.round(performance.now() - outage.since);
        outage = undefined;
        onNotice({ kind: 'reconnected', message: backText(server, awayMs), server, awayMs });
        break;
      }
      case Events.LDM:
        onNotice({
          kind: 'leaving',
          message: `the NATS server ${server} is about to stop`,
          server,
        });
        break;
      case Events.Update:
        learnHosts(addedIn(status), watching.trustedHosts);
        break;
      case Events.Error:
        if (!isLoginRefused(status.data)) {
          const notice = complaint(status, server);
          const now = performance.now();
          if (now - (complained.get(notice.message) ?? -Infinity) < complainEveryMs) break;
          complained.set(notice.message, now);
          onNotice(notice);
        } else if (outage?.refused === false) {
          outage.refused = true;
          onNotice({ kind: 'refused', message: refusedText(server, watching.login), server });
        }
        break;
      case DebugEvents.StaleConnection:
        cutLink(connection);
        break;
      default:
        break;
    }
  }
}

const complainEveryMs = 60_000;

function lostText(server: string): string {
  return `lost the connection to the NATS server ${server}: trying again until it is back`;
}

function backText(server: string, awayMs: number): string {
  return `connected to the NATS server ${server} again after ${(awayMs / 1000).toFixed(1)} s`;
}

function refusedText(server: string, login: Login): string {
  return `the NATS server ${server} does not accept ${describeLogin(login)} any more: trying again, in case it was renewed`;
}

function complaint(status: Status, server: string): Notice {
  const { permissionContext: denied } = status;
  const message =
    denied === undefined
      ? `the NATS server ${server} complained: ${JSON.stringify(status.data)}`
      : `the NATS server ${server} does not allow a ${denied.operation} of ${denied.subject}: grant it to the user, or log in as another`;
  const code = denied === undefined ? 'SERVER_FAILED' : 'SERVER_REFUSED';
  return { kind: 'error', message, error: new JugqError(code, message) };
}

function addedIn(status: Status): readonly string[] {
  return typeof status.data === 'object' ? status.data.added : [];
}

/** Addresses come as `host:port`, IPv6 in brackets. */
function learnHosts(addresses: readonly string[], trustedHosts: Set<string>): void {
  for (const each of addresses)
    trustedHosts.add(each.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
}

/**
 * Destroys the socket of a link that has died.
 *
 * The client would wait until the other side has taken what was sent, which it never will; only the operating system
 * would end that, after a quarter of an hour.
 */
function cutLink(connection: NatsConnection): void {
  const socket = at(at(at(connection, 'protocol'), 'transport'), 'socket');
  if (socket instanceof Socket) socket.destroy();
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}
