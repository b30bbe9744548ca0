import test, { type ExecutionContext } from 'ava';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { nkeys, type NatsConnection } from 'nats';
import { connectBroker, type ConnectionSettings, type Notice } from '../../broker/connection.ts';
import type { Login } from '../../broker/login.ts';
import { isJugqError, type ErrorCode, type JugqError } from '../../core/errors.ts';
import { freePorts } from '../kit/server-process.ts';
import { oldTestServers, startServer, testServers, type TestServer } from '../kit/servers.ts';

async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

const token: Login = { kind: 'token', token: 'sesame' };

function settingsFor(
  server: { port: number } | string,
  more: Partial<ConnectionSettings> = {},
): ConnectionSettings {
  const url = typeof server === 'string' ? server : `nats://127.0.0.1:${server.port.toString()}`;
  const origins = { servers: 'NATS_URL', login: 'NATS_TOKEN' };
  return { servers: [url], name: 'jugq test', login: { kind: 'none' }, origins, ...more };
}

async function refused(
  t: ExecutionContext,
  settings: ConnectionSettings,
  code: ErrorCode,
): Promise<JugqError> {
  const error = await t.throwsAsync(connectBroker(settings, () => undefined));
  if (!isJugqError(error)) throw new Error('expected an error of ours', { cause: error });
  t.is(error.code, code, error.message);
  return error;
}

async function accepted(t: ExecutionContext, settings: ConnectionSettings): Promise<void> {
  const connection = await connectBroker(settings, () => undefined);
  t.truthy(connection.info?.version);
  await connection.close();
}

/** Collects notices and waits for those of a kind, at most 30 s. */
function noticeBoard(): {
  post: (notice: Notice) => void;
  seen: (kind: Notice['kind']) => Promise<Notice>;
  kinds: () => string[];
} {
  const all: Notice[] = [];
  let wake = (): void => undefined;
  return {
    post: (notice) => {
      all.push(notice);
      wake();
    },
    kinds: () => all.map((each) => each.kind),
    seen: async (kind) => {
      for (;;) {
        const found = all.find((each) => each.kind === kind);
        if (found !== undefined) return found;
        await new Promise<void>((resolve, reject) => {
          const timer = setTimeout(() => {
            reject(new Error(`no notice "${kind}" came within 30 s`));
          }, 30_000);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
    },
  };
}

// AVA wants all tests declared in one go.
const [servers, oldServers] = await Promise.all([testServers(), oldTestServers()]);

for (const { path, version } of servers) {
  test(`connection: server ${version} with JetStream: connected`, async (t) => {
    await using server = await startServer({ binary: path });
    const connection = await connectBroker(settingsFor(server), () => undefined);
    t.is(connection.info?.version, version);
    await connection.close();
  });
}

test('connection: host:port without a scheme: connected', async (t) => {
  await using server = await startServer();
  await accepted(t, settingsFor(`127.0.0.1:${server.port.toString()}`));
});

for (const { path, version } of oldServers) {
  test(`connection: server ${version}: too old, with the version found and the mend`, async (t) => {
    await using server = await startServer({ binary: path });
    const error = await refused(t, settingsFor(server), 'SERVER_TOO_OLD');
    const found = version.replaceAll('.', String.raw`\.`);
    t.regex(
      error.message,
      new RegExp(`expected version 2\\.10\\.23 or later, got ${found}, .*upgrade it`),
    );
  });
}

/** Greets and answers pings as a server of this version does. */
async function impostor(version: string): Promise<{ port: number } & AsyncDisposable> {
  const greeting = {
    server_id: 'x',
    version,
    proto: 1,
    headers: true,
    max_payload: 1024,
    jetstream: true,
  };
  return listenerWith((socket) => {
    socket.write(`INFO ${JSON.stringify(greeting)}\r\n`);
    socket.on('data', (data) => {
      if (data.includes('PING')) socket.write('PONG\r\n');
    });
  });
}

async function listenerWith(
  onSocket: (socket: Socket) => void,
): Promise<{ port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const listener = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onSocket(socket);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('expected a port');
  return {
    port: address.port,
    [Symbol.asyncDispose]: async () => {
      for (const each of sockets) each.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}

for (const version of ['2.9.10', '2.10.22', '2.10.22-RC.1', '1.99.99']) {
  test(`connection: a server that says it is ${version}: too old`, async (t) => {
    await using server = await impostor(version);
    const error = await refused(t, settingsFor(server), 'SERVER_TOO_OLD');
    t.regex(
      error.message,
      new RegExp(`expected version 2\\.10\\.23 or later, got ${version}, .*upgrade it`),
    );
  });
}

test('connection: JetStream is off: says how to turn it on', async (t) => {
  await using server = await startServer({ jetStream: false });
  const error = await refused(t, settingsFor(server), 'SERVER_NO_JETSTREAM');
  t.regex(error.message, /not enabled on the NATS server .*nats-server -js/);
});

test('connection: JetStream is off for the account: says that it is the account', async (t) => {
  const config = `accounts { A { users: [{ user: a, password: b }] }, B { jetstream: enabled } }`;
  await using server = await startServer({ config });
  const url = `nats://a:b@127.0.0.1:${server.port.toString()}`;
  const error = await refused(t, settingsFor(url), 'SERVER_NO_JETSTREAM');
  t.regex(error.message, /for this account of the NATS server/);
});

test('connection: nobody listens: unreachable, with the address, where it was named and what to do', async (t) => {
  const port = await freePort();
  const error = await refused(t, settingsFor({ port }), 'SERVER_UNREACHABLE');
  t.is(
    error.message,
    `cannot use the NATS server nats://127.0.0.1:${port.toString()} (connection refused), named by NATS_URL: start it, name another with --server, or name none to use a private one`,
  );
});

test('connection: no such host: unreachable because of its name', async (t) => {
  const settings = settingsFor('nats://no-such-host.invalid:4222');
  const error = await refused(t, settings, 'SERVER_UNREACHABLE');
  t.regex(error.message, /\((no such host|the host name cannot be looked up now)\)/);
});

test('connection: something that never greets: unreachable after the time-out', async (t) => {
  t.timeout(20_000);
  await using listener = await listenerWith(() => undefined);
  const error = await refused(t, settingsFor(listener), 'SERVER_UNREACHABLE');
  t.regex(error.message, /\(does not answer within 5 s\)/);
});

test('connection: something that hangs up: unreachable, not "refused"', async (t) => {
  await using listener = await listenerWith((socket) => socket.end());
  const error = await refused(t, settingsFor(listener), 'SERVER_UNREACHABLE');
  t.regex(error.message, /closed the connection without a greeting/);
});

test('connection: two servers, the first away: connected to the second', async (t) => {
  await using server = await startServer();
  const servers = [
    `127.0.0.1:${(await freePort()).toString()}`,
    `127.0.0.1:${server.port.toString()}`,
  ];
  await accepted(t, settingsFor('', { servers }));
});

test('connection: one server away, the other refuses: both reasons, and the refusal decides', async (t) => {
  await using server = await startServer({
    config: 'authorization { token: x }',
  });
  const servers = [
    `127.0.0.1:${(await freePort()).toString()}`,
    `127.0.0.1:${server.port.toString()}`,
  ];
  const error = await refused(t, settingsFor('', { servers, login: token }), 'SERVER_REFUSED');
  t.regex(error.message, /\(connection refused\), .* \(refused a token\), named by NATS_URL/);
});

const withToken = 'authorization { token: sesame }';

test('login: the right token: connected', async (t) => {
  await using server = await startServer({ config: withToken });
  await accepted(t, settingsFor(server, { login: token }));
});

test('login: a wrong token: refused, naming where it came from and not the token', async (t) => {
  await using server = await startServer({ config: withToken });
  const login: Login = { kind: 'token', token: 'wrong-one' };
  const error = await refused(t, settingsFor(server, { login }), 'SERVER_REFUSED');
  t.regex(error.message, /refused a token.*check what NATS_TOKEN names/);
  t.notRegex(error.message, /wrong-one/);
});

test('login: none where one is demanded: refused, with the ways to name one', async (t) => {
  await using server = await startServer({ config: withToken });
  const error = await refused(t, settingsFor(server), 'SERVER_REFUSED');
  t.regex(error.message, /refused no login.*--creds, --nkey, --token/);
});

test('login: user and password, named or in the address: connected; a wrong password: refused', async (t) => {
  const config = 'authorization { user: bob, password: "p@ss" }';
  await using server = await startServer({ config });
  await accepted(
    t,
    settingsFor(server, { login: { kind: 'user', user: 'bob', password: 'p@ss' } }),
  );
  await accepted(t, settingsFor(`nats://bob:p%40ss@127.0.0.1:${server.port.toString()}`));
  const url = `nats://bob:secret@127.0.0.1:${server.port.toString()}`;
  const error = await refused(t, settingsFor(url), 'SERVER_REFUSED');
  t.regex(error.message, /refused the user "bob"/);
  t.notRegex(error.message, /secret/);
});

/** A new key pair of a user: its public key and the text of its seed. */
function keyPair(): { user: string; text: string } {
  const pair = nkeys.createUser();
  return { user: pair.getPublicKey(), text: new TextDecoder().decode(pair.getSeed()) };
}

test('login: an NKey, its seed in a file or given: connected', async (t) => {
  const { user, text } = keyPair();
  const config = `authorization { users: [{ nkey: ${user} }] }`;
  await using server = await startServer({ config });
  const file = join(server.storeDir, 'user.nk');
  writeFileSync(file, `${text}\n`);
  await accepted(t, settingsFor(server, { login: { kind: 'nkey', file } }));
  await accepted(t, settingsFor(server, { login: { kind: 'seed', seed: text } }));
  const other: Login = { kind: 'seed', seed: keyPair().text };
  await refused(t, settingsFor(server, { login: other }), 'SERVER_REFUSED');
});

type KeyPair = ReturnType<typeof nkeys.createUser>;

/** A token as `nsc` makes them. */
function jwtOf(
  kind: 'operator' | 'account' | 'user',
  sub: string,
  by: KeyPair,
  more: object = {},
): string {
  const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = text({ typ: 'JWT', alg: 'ed25519-nkey' });
  const limits = { subs: -1, data: -1, payload: -1 };
  const nats = { type: kind, version: 2, ...(kind === 'user' ? limits : {}), ...more };
  const iat = Math.floor(Date.now() / 1000);
  const body = text({ jti: sub, iat, iss: by.getPublicKey(), name: kind, sub, nats });
  const signature = by.sign(new TextEncoder().encode(`${head}.${body}`));
  return `${head}.${body}.${Buffer.from(signature).toString('base64url')}`;
}

test('login: a credentials file: connected; one of another account: refused, naming the file', async (t) => {
  const [operator, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const open = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1 };
  const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const accountKey = account.getPublicKey();
  const accountJwt = jwtOf('account', accountKey, operator, {
    limits: { ...open, ...storage, wildcards: true },
  });
  const systemKey = nkeys.createAccount().getPublicKey();
  const systemJwt = jwtOf('account', systemKey, operator, { limits: { ...open, wildcards: true } });
  const config = `operator: ${jwtOf('operator', operator.getPublicKey(), operator)}
    resolver: MEMORY
    system_account: ${systemKey}
    resolver_preload: { ${accountKey}: ${accountJwt}, ${systemKey}: ${systemJwt} }`;
  await using server = await startServer({ config });
  const write = (name: string, by: KeyPair): Login => {
    const file = join(server.storeDir, name);
    const jwt = jwtOf('user', user.getPublicKey(), by);
    const seed = new TextDecoder().decode(user.getSeed());
    writeFileSync(
      file,
      `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
        `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    );
    return { kind: 'creds', file };
  };
  await accepted(t, settingsFor(server, { login: write('user.creds', account) }));
  const wrong = write('other.creds', nkeys.createAccount());
  const error = await refused(t, settingsFor(server, { login: wrong }), 'SERVER_REFUSED');
  t.regex(error.message, /refused the credentials file .*other\.creds/);
});

test('login: a file that is missing or something else: a wrong setting that names the file', async (t) => {
  const missing: Login = { kind: 'creds', file: '/no/such/file.creds' };
  const error = await refused(t, settingsFor('h', { login: missing }), 'SETTINGS_INVALID');
  t.regex(error.message, /^cannot read \/no\/such\/file\.creds: ENOENT/);
  for (const kind of ['creds', 'nkey'] as const) {
    const other: Login = { kind, file: import.meta.filename };
    const wrong = await refused(t, settingsFor('h', { login: other }), 'SETTINGS_INVALID');
    t.regex(wrong.message, /expected the .* file .*connection\.test\.ts to hold a user's seed/);
  }
});

/** Makes an authority and certificates of it with openssl. */
function makeCertificates(): { directory: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'jugq-tls-'));
  const run = (command: string): void => {
    execFileSync('openssl', command.split(' '), { cwd: directory, stdio: 'ignore' });
  };
  const fresh = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  for (const name of ['ca', 'other-ca']) {
    run(`req -x509 ${fresh} -keyout ${name}.key -out ${name}.pem -days 2 -subj /CN=${name}`);
  }
  const names = { server: 'IP:127.0.0.1', local: 'DNS:localhost', client: 'DNS:client' };
  for (const [name, alternative] of Object.entries(names)) {
    const request = `-keyout ${name}.key -out ${name}.csr -subj /CN=${name}`;
    run(`req ${fresh} ${request} -addext subjectAltName=${alternative}`);
    const sign = '-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy';
    run(`x509 -req -in ${name}.csr -out ${name}.pem ${sign}`);
  }
  const remove = (): void => {
    rmSync(directory, { recursive: true });
  };
  return { directory, [Symbol.dispose]: remove };
}

function tlsConfig(directory: string, name: string, more = ''): string {
  const at = (file: string): string => JSON.stringify(join(directory, file));
  return `tls { cert_file: ${at(`${name}.pem`)}, key_file: ${at(`${name}.key`)}, ca_file: ${at('ca.pem')}, ${more} }`;
}

test('TLS: certificate of an authority that is named: connected, by address and by name', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  const tls = { ca: join(directory, 'ca.pem'), first: false };
  await using byAddress = await startServer({ config: tlsConfig(directory, 'server') });
  await accepted(t, settingsFor(byAddress, { tls }));
  await using byName = await startServer({ config: tlsConfig(directory, 'local') });
  await accepted(t, settingsFor(`tls://localhost:${byName.port.toString()}`, { tls }));
});

test('TLS: certificate for localhost on a server that was named by address: not trusted', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  await using server = await startServer({ config: tlsConfig(directory, 'local') });
  const tls = { ca: join(directory, 'ca.pem'), first: false };
  const error = await refused(t, settingsFor(server, { tls }), 'SERVER_UNREACHABLE');
  t.regex(error.message, /does not match certificate.*use a name that the certificate is for/);
});

test('TLS: certificate of an unknown authority: not trusted, with the setting that mends it', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  await using server = await startServer({ config: tlsConfig(directory, 'server') });
  for (const settings of [
    settingsFor(server),
    settingsFor(server, { tls: { ca: join(directory, 'other-ca.pem'), first: false } }),
  ]) {
    const error = await refused(t, settings, 'SERVER_UNREACHABLE');
    t.regex(error.message, /TLS: .*name the authority .* with --tls-ca/);
  }
});

test('TLS: a server that demands a certificate: connected with one, refused without or with a foreign one', async (t) => {
  t.timeout(30_000);
  using made = makeCertificates();
  const { directory } = made;
  const at = (name: string): string => join(directory, name);
  await using server = await startServer({
    config: tlsConfig(directory, 'server', 'verify: true'),
  });
  const trusted = { ca: at('ca.pem'), first: false };
  const own = { cert: at('client.pem'), key: at('client.key') };
  await accepted(t, settingsFor(server, { tls: { ...trusted, ...own } }));
  const foreign = { cert: at('other-ca.pem'), key: at('other-ca.key') };
  const [without, wrong] = await Promise.all([
    refused(t, settingsFor(server, { tls: trusted }), 'SERVER_REFUSED'),
    refused(t, settingsFor(server, { tls: { ...trusted, ...foreign } }), 'SERVER_REFUSED'),
  ]);
  t.regex(without.message, /demands a client certificate.*--tls-cert and --tls-key/);
  t.regex(wrong.message, /refused the client certificate .*other-ca\.pem/);
});

test('TLS: handshake first on both sides: connected', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  const config = tlsConfig(directory, 'server', 'handshake_first: true');
  await using server = await startServer({ config });
  await accepted(t, settingsFor(server, { tls: { ca: join(directory, 'ca.pem'), first: true } }));
});

test('TLS: asked of a server without it: unreachable, because it offers none', async (t) => {
  await using server = await startServer();
  const url = `tls://127.0.0.1:${server.port.toString()}`;
  const error = await refused(t, settingsFor(url), 'SERVER_UNREACHABLE');
  t.regex(error.message, /offers no TLS/);
});

test('TLS: a file that cannot be read: a wrong setting that names it', async (t) => {
  const tls = { ca: '/no/such/ca.pem', first: false };
  const error = await refused(t, settingsFor('h', { tls }), 'SETTINGS_INVALID');
  t.regex(error.message, /^cannot read \/no\/such\/ca\.pem/);
});

/** A server whose configuration can change while it runs. */
async function changeable(
  t: ExecutionContext,
  config: string,
): Promise<{ server: TestServer; reload: (config: string) => Promise<void> }> {
  const directory = mkdtempSync(join(tmpdir(), 'jugq-reload-'));
  const file = join(directory, 'more.conf');
  writeFileSync(file, config);
  // Includes are looked up beside the file that has them, which is in another temporary directory.
  const server = await startServer({ config: `include "../${basename(directory)}/more.conf"` });
  t.teardown(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });
  const reload = (text: string): Promise<void> => {
    writeFileSync(file, text);
    return server.kill('SIGHUP');
  };
  return { server, reload };
}

/** A connection with its notices; closed at the end of the test. */
async function watched(
  t: ExecutionContext,
  server: TestServer,
  more: Partial<ConnectionSettings> = {},
): Promise<{ connection: NatsConnection; board: ReturnType<typeof noticeBoard> }> {
  t.timeout(60_000);
  const board = noticeBoard();
  const connection = await connectBroker(settingsFor(server, more), board.post);
  t.teardown(() => connection.close());
  return { connection, board };
}

test('life: the server is killed and started again: lost once, back once, and usable', async (t) => {
  await using server = await startServer();
  const { connection, board } = await watched(t, server);
  await server.kill('SIGKILL');
  await board.seen('disconnected');
  await server.restart();
  const back = await board.seen('reconnected');
  t.true(back.kind === 'reconnected' && back.awayMs > 0);
  await connection.flush();
  t.deepEqual(board.kinds(), ['disconnected', 'reconnected']);
});

test('life: the login is revoked and granted again: one notice of each, and never closed', async (t) => {
  const { server, reload } = await changeable(t, withToken);
  const { connection, board } = await watched(t, server, { login: token });
  await reload(withToken.replace('sesame', 'other'));
  const notice = await board.seen('refused');
  t.regex(notice.message, /does not accept a token any more/);
  await reload(withToken);
  await board.seen('reconnected');
  await connection.flush();
  t.false(connection.isClosed());
});

test('life: a credential file is renewed on disk: the new one is used', async (t) => {
  const [old, renewed] = [keyPair(), keyPair()];
  const config = (user: string): string => `authorization { users: [{ nkey: ${user} }] }`;
  const { server, reload } = await changeable(t, config(old.user));
  const file = join(server.storeDir, 'user.nk');
  writeFileSync(file, old.text);
  const { board } = await watched(t, server, { login: { kind: 'nkey', file } });
  await reload(config(renewed.user));
  await board.seen('refused');
  writeFileSync(file, renewed.text);
  await board.seen('reconnected');
  t.pass();
});

test('life: a link that is dead under load, without a word: noticed, and back when the server is', async (t) => {
  await using server = await startServer();
  const { connection, board } = await watched(t, server);
  await server.kill('SIGSTOP');
  // More than the system takes for a peer that does not read, so that the client cannot flush.
  for (let count = 0; count < 40; count++) connection.publish('load', new Uint8Array(500_000));
  await board.seen('disconnected');
  await server.kill('SIGCONT');
  await board.seen('reconnected');
  await connection.flush();
  t.false(connection.isClosed());
});

test('life: something that the login may not do: a notice that names it', async (t) => {
  const config = `authorization { users: [{ user: a, password: b, permissions: { publish: { deny: "forbidden" } } }] }`;
  await using server = await startServer({ config });
  const login: Login = { kind: 'user', user: 'a', password: 'b' };
  const { connection, board } = await watched(t, server, { login });
  connection.publish('forbidden');
  const notice = await board.seen('error');
  t.regex(notice.message, /does not allow a publish of forbidden/);
});

test('life: closed by its owner: no notice', async (t) => {
  await using server = await startServer();
  const { connection, board } = await watched(t, server);
  await connection.close();
  t.deepEqual(board.kinds(), []);
});
