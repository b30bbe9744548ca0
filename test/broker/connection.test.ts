import test from 'ava';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { connectBroker } from '../../broker/connection.ts';
import { accepted, refused, settingsFor, token } from '../kit/connecting.ts';
import { freePorts } from '../kit/server-process.ts';
import { oldTestServers, startServer, testServers } from '../kit/servers.ts';

async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
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
