/**
 * The connection to the NATS server: made once, checked once, and then kept for ever.
 *
 * Whoever gets one may rely on a server that is new enough and has JetStream. It comes back by itself after every loss,
 * however long; a link that died without a word is noticed within 15 s; and nothing of this happens in silence: each
 * change is a notice.
 */
import { connect, NatsError, type ConnectionOptions, type NatsConnection } from 'nats';
import { checkServerIdentity } from 'node:tls';
import { JugqError } from '../core/errors.ts';
import { explain } from './connection-problems.ts';
import { authenticatorFor, readSetting, type Login } from './login.ts';
import {
  clientCode,
  isForbiddenPublish,
  isJetStreamOff,
  isTransient,
  isUnanswered,
  jetStreamAdvice,
  toJugqError,
} from './nats-errors.ts';
import { watchConnection, type Notice } from './notices.ts';
import { isNewEnough, serverFloor } from './server-binary.ts';
import { hostPort, loginOf, parseServerUrl } from './server-url.ts';

export type { Notice } from './notices.ts';

/** Files for TLS; a path that is undefined means the system's own. */
export interface TlsSettings {
  /** Authorities to trust instead of the system's. */
  readonly ca?: string | undefined;
  /** The client's certificate and its key, for servers that demand one; both or neither. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Shake hands before the server greets, for servers that are configured so. */
  readonly first: boolean;
}

/** Plain data: it can be handed to a thread, which makes a connection of its own. */
export interface ConnectionSettings {
  /** As `parseServerUrl` reads them; at least one. */
  readonly servers: readonly string[];
  /** Shown in the server's list of connections. */
  readonly name: string;
  /** If none, the one in the addresses is used. */
  readonly login: Login;
  /** Undefined: TLS if the server offers it. */
  readonly tls?: TlsSettings | undefined;
  /** Where servers and login were named, for messages: `NATS_URL`, a file. */
  readonly origins: { readonly servers: string; readonly login: string };
}

const connectTimeoutMs = 5000;
const pingIntervalMs = 5000;
/** The third ping that has nobody to answer the first two closes the link: 15 s. */
const pingsUnanswered = 2;
const retryMs = 500;
/** So that a thousand workers do not come back in the same moment. */
const retryJitterMs = 1000;

/**
 * Connects, and makes sure that the server will do.
 *
 * @param onNotice - called with every change of the connection from then on
 * @throws JugqError `SETTINGS_INVALID` (an address or a file), `SERVER_UNREACHABLE`, `SERVER_REFUSED`,
 *   `SERVER_TOO_OLD`, `SERVER_NO_JETSTREAM`
 */
export async function connectBroker(
  settings: ConnectionSettings,
  onNotice: (notice: Notice) => void,
): Promise<NatsConnection> {
  const trustedHosts = new Set(hostsOf(settings));
  const connection = await open(settings, connectionOptions(settings, trustedHosts));
  try {
    checkVersion(connection);
    await checkJetStream(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  watchConnection(connection, { trustedHosts, login: usedLogin(settings), onNotice });
  return connection;
}

/**
 * The client's own options for these settings, for a connection that needs no checks.
 *
 * @param trustedHosts - names that a server's certificate may be for, beside the one that was dialled
 * @throws JugqError `SETTINGS_INVALID` if an address is wrong or a file cannot be read
 */
export function connectionOptions(
  settings: ConnectionSettings,
  trustedHosts: ReadonlySet<string> = new Set(hostsOf(settings)),
): ConnectionOptions {
  const addresses = settings.servers.map(parseServerUrl);
  const authenticator = authenticatorFor(usedLogin(settings));
  const wantsTls = settings.tls !== undefined || addresses.some((each) => each.tls);
  return {
    servers: addresses.map(hostPort),
    name: settings.name,
    timeout: connectTimeoutMs,
    pingInterval: pingIntervalMs,
    maxPingOut: pingsUnanswered,
    maxReconnectAttempts: -1,
    reconnectDelayHandler: () => retryMs + Math.random() * retryJitterMs,
    // By default the client gives up for good when the server refuses its login twice, as one that is being set up does.
    ignoreAuthErrorAbort: true,
    // Else each request makes two stacks for an error that hardly ever comes: half of what a pipelined read costs.
    noAsyncTraces: true,
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(wantsTls ? { tls: tlsOptions(settings.tls, trustedHosts) } : {}),
  };
}

type TlsOptions = NonNullable<ConnectionOptions['tls']>;

function tlsOptions(tls: TlsSettings | undefined, trustedHosts: ReadonlySet<string>): TlsOptions {
  const { ca, cert, key, first = false } = tls ?? {};
  // The client reads them at each connection, but does not say which one was missing.
  for (const file of [ca, cert, key]) if (file !== undefined) readSetting(file);
  const options = {
    handshakeFirst: first,
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(cert === undefined ? {} : { certFile: cert }),
    ...(key === undefined ? {} : { keyFile: key }),
    checkServerIdentity: identityCheck(trustedHosts),
  };
  return options;
}

/**
 * Node takes `localhost` for the name of a server that was dialled by its IP address, because the client does not tell
 * it. So a certificate for this address would be refused and one for localhost accepted; what must hold is that the
 * certificate is for a server that the user or a trusted server has named.
 */
function identityCheck(trustedHosts: ReadonlySet<string>): typeof checkServerIdentity {
  return (host, certificate) => {
    const names = host === 'localhost' ? [...trustedHosts] : [host];
    const problems = names.map((name) => checkServerIdentity(name, certificate));
    return problems.includes(undefined) ? undefined : problems[0];
  };
}

function hostsOf(settings: ConnectionSettings): string[] {
  return settings.servers.map((each) => parseServerUrl(each).host);
}

function usedLogin(settings: ConnectionSettings): Login {
  return settings.login.kind === 'none' ? loginOf(settings.servers) : settings.login;
}

async function open(
  settings: ConnectionSettings,
  options: ConnectionOptions,
): Promise<NatsConnection> {
  try {
    return await connectInTime(options, settings.servers.length);
  } catch (error) {
    const login = usedLogin(settings);
    const failures = await Promise.all(
      settings.servers.map(async (server) => {
        const alone = settings.servers.length === 1 ? error : await tryAlone(server, options);
        return { server, error: alone };
      }),
    );
    throw await explain(failures, { ...settings, login });
  }
}

/** The client's time-out begins when the name is resolved, and that may take minutes. */
async function connectInTime(
  options: ConnectionOptions,
  serversCount: number,
): Promise<NatsConnection> {
  const connecting = connect(options);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => {
        reject(NatsError.errorForCode(clientCode.Timeout));
      },
      connectTimeoutMs * (serversCount + 1),
    );
  });
  try {
    return await Promise.race([connecting, late]);
  } catch (error) {
    void connecting.then(
      (connection) => connection.close(),
      () => undefined,
    );
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Why one of several servers was of no use: the client tells only about the last. */
async function tryAlone(server: string, options: ConnectionOptions): Promise<unknown> {
  const own = { ...options, servers: [hostPort(parseServerUrl(server))] };
  try {
    const connection = await connectInTime(own, 1);
    await connection.close();
    return new Error('it was away a moment ago and is back');
  } catch (error) {
    return error;
  }
}

function checkVersion(connection: NatsConnection): void {
  const found = connection.info?.version ?? 'unknown';
  if (!isNewEnough(found)) {
    throw new JugqError(
      'SERVER_TOO_OLD',
      `the NATS server ${nameOf(connection)} is too old: expected version ${serverFloor} or later, got ${found}, which can lose queued tasks: upgrade it, or name no server to use a private one`,
      { fields: { found, expected: serverFloor } },
    );
  }
}

/**
 * Asks JetStream itself: a server without it may still reach that of its cluster.
 *
 * A login that may not ask this may still do what is needed, so that such a refusal is left to show itself later.
 */
async function checkJetStream(connection: NatsConnection): Promise<void> {
  const until = performance.now() + connectTimeoutMs;
  for (;;) {
    const problem = await accountProblem(connection);
    if (problem === undefined || isForbiddenPublish(problem)) return;
    const nobodyThere = isUnanswered(problem) && connection.info?.jetstream !== true;
    if (nobodyThere || isJetStreamOff(problem)) throw noJetStream(connection, problem);
    // A cluster that starts has JetStream, but no leader yet to speak for it.
    if (!isTransient(problem) || performance.now() > until) {
      throw toJugqError(problem, `asking the NATS server ${nameOf(connection)} for JetStream`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function accountProblem(connection: NatsConnection): Promise<unknown> {
  try {
    await connection.jetstreamManager({ timeout: connectTimeoutMs });
    return undefined;
  } catch (error) {
    return error;
  }
}

function noJetStream(connection: NatsConnection, cause: unknown): JugqError {
  const where =
    isJetStreamOff(cause) && connection.info?.jetstream === true ? 'for this account of' : 'on';
  return new JugqError(
    'SERVER_NO_JETSTREAM',
    `JetStream is not enabled ${where} the NATS server ${nameOf(connection)}${jetStreamAdvice}`,
    { cause },
  );
}

function nameOf(connection: NatsConnection): string {
  return connection.getServer();
}
