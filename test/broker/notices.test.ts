import test, { type ExecutionContext } from 'ava';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { NatsConnection } from 'nats';
import { connectBroker, type ConnectionSettings, type Notice } from '../../broker/connection.ts';
import type { Login } from '../../broker/login.ts';
import { keyPair, settingsFor, token, withToken } from '../kit/connecting.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

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

test('notices: the server is killed and started again: lost once, back once, and usable', async (t) => {
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

test('notices: the login is revoked and granted again: one notice of each, and never closed', async (t) => {
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

test('notices: a credential file is renewed on disk: the new one is used', async (t) => {
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

test('notices: a link that is dead under load, without a word: noticed, and back when the server is', async (t) => {
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

test('notices: something that the login may not do: a notice that names it', async (t) => {
  const config = `authorization { users: [{ user: a, password: b, permissions: { publish: { deny: "forbidden" } } }] }`;
  await using server = await startServer({ config });
  const login: Login = { kind: 'user', user: 'a', password: 'b' };
  const { connection, board } = await watched(t, server, { login });
  connection.publish('forbidden');
  const notice = await board.seen('error');
  t.regex(notice.message, /does not allow a publish of forbidden/);
});

test('notices: closed by its owner: no notice', async (t) => {
  await using server = await startServer();
  const { connection, board } = await watched(t, server);
  await connection.close();
  t.deepEqual(board.kinds(), []);
});
