/** Addresses of NATS servers, in the forms that people write. */
import { JugqError } from '../core/errors.ts';
import type { Login } from './login.ts';

/** One server, parsed. */
export interface ServerAddress {
  /** Without brackets if it is an IPv6 address. */
  readonly host: string;
  readonly port: number;
  /** The scheme demands TLS. */
  readonly tls: boolean;
  /** What stands before the `@`. */
  readonly login: Login;
}

const defaultPort = 4222;
const schemes: ReadonlyMap<string, boolean> = new Map([
  ['nats:', false],
  ['tls:', true],
]);

/**
 * Reads `host`, `host:port`, `nats://[user:password@ or token@]host:port` or the same with `tls://`.
 *
 * @throws JugqError `SETTINGS_INVALID`; its message does not repeat a password
 */
export function parseServerUrl(text: string): ServerAddress {
  const whole = /^[a-z0-9+.-]+:\/\//i.test(text) ? text : `nats://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  const tls = schemes.get(url?.protocol ?? '');
  const login = url === undefined ? undefined : loginIn(url);
  const isPlain = url !== undefined && url.search + url.hash === '' && /^\/?$/.test(url.pathname);
  if (!isPlain || tls === undefined || login === undefined || url.hostname === '') {
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected a server such as nats://host:4222 or tls://host:4222, got ${JSON.stringify(maskUrl(text))}${hintFor(text)}`,
    );
  }
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPort : Number(url.port),
    tls,
    login,
  };
}

/** The address with anything secret before the `@` replaced: for messages and listings. */
export function maskUrl(text: string): string {
  return text.replace(/^([a-z0-9+.-]+:\/\/)?.*@/i, '$1***@');
}

/** The address without what stands before the `@`: for whoever is given the login by itself. */
export function withoutLogin(text: string): string {
  return text.replace(/^([a-z0-9+.-]+:\/\/)?.*@/i, '$1');
}

/** `host:port`, with brackets around an IPv6 address. */
export function hostPort(address: ServerAddress): string {
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  return `${host}:${address.port.toString()}`;
}

/**
 * The login that the addresses carry.
 *
 * @throws JugqError `SETTINGS_INVALID` if they carry different ones: the client uses one for all
 */
export function loginOf(urls: readonly string[]): Login {
  const logins = urls.map((url) => parseServerUrl(url).login);
  const [first = { kind: 'none' }] = logins;
  if (logins.some((each) => JSON.stringify(each) !== JSON.stringify(first))) {
    throw new JugqError(
      'SETTINGS_INVALID',
      'expected the same login in all server addresses, got different ones: name it once, with --user and --password or --token',
    );
  }
  return first;
}

/** A single word before the `@` is a token, as for all NATS clients; undefined: a `%` that escapes nothing. */
function loginIn(url: URL): Login | undefined {
  const [user, password] = [url.username, url.password].map(unescaped);
  if (user === undefined || password === undefined) return undefined;
  if (user === '') return { kind: 'none' };
  return password === '' ? { kind: 'token', token: user } : { kind: 'user', user, password };
}

function unescaped(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function hintFor(text: string): string {
  if (/^wss?:/i.test(text)) return ': use the port for clients, not the one for WebSockets';
  return /^https?:/i.test(text) ? ': use the port for clients, not the one for monitoring' : '';
}
