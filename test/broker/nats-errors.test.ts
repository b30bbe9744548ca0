import test, { type ExecutionContext } from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connect,
  createInbox,
  DiscardPolicy,
  headers,
  NatsError,
  type JetStreamManager,
  type NatsConnection,
} from 'nats';
import {
  isForbiddenPublish,
  isNotFound,
  isStorageFull,
  isSubjectOccupied,
  isTransient,
  isUnanswered,
  isWrongRevision,
  pubAckProblem,
  toJugqError,
} from '../../broker/nats-errors.ts';
import { JugqError } from '../../core/errors.ts';
import { startServer, testServers, type TestServerOptions } from '../kit/servers.ts';

interface Ground extends AsyncDisposable {
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
}

async function ground(options: TestServerOptions = {}): Promise<Ground> {
  const server = await startServer(options);
  const connection = await connect({ servers: `127.0.0.1:${server.port.toString()}` });
  const manager = await connection.jetstreamManager();
  return {
    connection,
    manager,
    [Symbol.asyncDispose]: async () => {
      await connection.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

function temporaryDirectory(): { path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'jugq-store-'));
  return {
    path,
    [Symbol.dispose]: () => {
      rmSync(path, { recursive: true });
    },
  };
}

/** What a publish is refused with, as the acknowledgement says it. */
async function refusal(
  { connection }: Ground,
  subject: string,
  options: { payload?: Uint8Array; expected?: number } = {},
): Promise<{ code: number; description: string }> {
  const all = headers();
  if (options.expected !== undefined) {
    all.set('Nats-Expected-Last-Subject-Sequence', options.expected.toString());
  }
  const answer = await connection.request(subject, options.payload ?? 'x', {
    timeout: 5000,
    headers: all,
  });
  const { error } = answer.json<{ error?: { err_code: number; description: string } }>();
  return { code: error?.err_code ?? 0, description: error?.description ?? '' };
}

async function thrown(t: ExecutionContext, promise: Promise<unknown>): Promise<Error> {
  return t.throwsAsync(promise);
}

for (const { path: binary, version } of await testServers()) {
  test(`server ${version}: a put that expects another revision: a wrong revision`, async (t) => {
    await using made = await ground({ binary });
    await made.manager.streams.add({ name: 'S', subjects: ['s.>'], max_msgs_per_subject: 1 });
    await made.connection.jetstream().publish('s.a');
    const { code } = await refusal(made, 's.a', { expected: 0 });
    t.is(pubAckProblem(code), 'revision');
    t.true(isWrongRevision(code) && isSubjectOccupied(code));
    t.false(isStorageFull(code));
    const error = await thrown(
      t,
      made.connection.jetstream().publish('s.a', 'x', { expect: { lastSubjectSequence: 9 } }),
    );
    t.true(isWrongRevision(error));
  });

  test(`server ${version}: a taken subject of a queue, expecting nothing: told apart from a full stream`, async (t) => {
    await using made = await ground({ binary });
    await made.manager.streams.add({
      name: 'Q',
      subjects: ['q.>'],
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
      max_bytes: 4096,
    });
    await made.connection.jetstream().publish('q.a');
    const taken = await refusal(made, 'q.a', { expected: 0 });
    t.is(pubAckProblem(taken.code), 'revision');
    const full = await refusal(made, 'q.b', { payload: new Uint8Array(8192), expected: 0 });
    t.is(pubAckProblem(full.code), 'full', full.description);
    const error = toJugqError({ kind: 'refused', ...full }, 'publishing q.b');
    t.is(error.code, 'SERVER_FULL');
    t.regex(error.message, /^publishing q\.b: .*\(\d+\): make room with/);
  });

  test(`server ${version}: its store is full: no room`, async (t) => {
    using store = temporaryDirectory();
    const config = `jetstream { store_dir: ${JSON.stringify(store.path)}, max_file_store: 100KB }`;
    await using made = await ground({ binary, jetStream: false, config });
    await made.manager.streams.add({ name: 'S', subjects: ['s.>'] });
    let code = 0;
    for (let count = 0; count < 20 && code === 0; count++) {
      ({ code } = await refusal(made, `s.${count.toString()}`, {
        payload: new Uint8Array(20_000),
      }));
    }
    t.is(pubAckProblem(code), 'full');
    const error = await thrown(
      t,
      made.manager.streams.add({ name: 'B', subjects: ['b'], max_bytes: 1e6 }),
    );
    t.true(isStorageFull(error), error.message);
    t.is(toJugqError(error, 'making the stream B').code, 'SERVER_FULL');
  });

  test(`server ${version}: stream, consumer, message, subject or sequence that is not there: not found`, async (t) => {
    await using made = await ground({ binary });
    await made.manager.streams.add({ name: 'S', subjects: ['s.>'] });
    const { streams, consumers } = made.manager;
    await made.connection.jetstream().publish('s.a');
    await streams.deleteMessage('S', 1);
    for (const promise of [
      streams.info('NONE'),
      consumers.info('S', 'none'),
      streams.getMessage('S', { seq: 7 }),
      streams.getMessage('S', { last_by_subj: 's.none' }),
      streams.deleteMessage('S', 1, false),
    ]) {
      const error = await thrown(t, promise);
      t.true(isNotFound(error), error.message);
      t.false(isTransient(error));
    }
  });

  test(`server ${version}: a stream that is there with another configuration: a mismatch`, async (t) => {
    await using made = await ground({ binary });
    await made.manager.streams.add({ name: 'S', subjects: ['s.>'] });
    const error = await thrown(t, made.manager.streams.add({ name: 'S', subjects: ['other.>'] }));
    t.is(toJugqError(error, 'making the stream S').code, 'STREAM_MISMATCH');
  });
}

test('nobody listens: unanswered, and worth another try', async (t) => {
  await using made = await ground();
  const error = await thrown(t, made.connection.request('nobody', ''));
  t.true(isUnanswered(error) && isTransient(error));
  t.is(toJugqError(error, 'asking').code, 'SERVER_UNREACHABLE');
});

test('somebody listens and never answers: worth another try', async (t) => {
  await using made = await ground();
  made.connection.subscribe('mute', { callback: () => undefined });
  const error = await thrown(t, made.connection.request('mute', '', { timeout: 50 }));
  t.true(isTransient(error));
  t.false(isUnanswered(error));
  t.regex(toJugqError(error, 'asking').message, /^asking: the server did not answer in time: /);
});

test('a message over the limit of the server: says which limit to raise', async (t) => {
  await using made = await ground();
  const error = t.throws(() => {
    made.connection.publish('x', new Uint8Array(2_000_000));
  });
  t.regex(
    toJugqError(error, 'publishing x').message,
    /larger than the server takes: raise max_payload/,
  );
});

test('a request that the login may not make: a forbidden publish, with the subjects to allow', async (t) => {
  const config = `authorization { users: [{ user: a, password: b, permissions: { publish: { deny: "no" } } }] }`;
  await using server = await startServer({ config });
  const connection = await connect({
    servers: `127.0.0.1:${server.port.toString()}`,
    user: 'a',
    pass: 'b',
  });
  const error = await thrown(t, connection.request('no', '', { timeout: 5000 }));
  t.true(isForbiddenPublish(error), error.message);
  const ours = toJugqError(error, 'asking');
  t.is(ours.code, 'SERVER_REFUSED');
  t.regex(ours.message, /jugq\.>, \$JS\.API\.>/);
  await connection.close();
});

test('a closed connection: unreachable', async (t) => {
  const made = await ground();
  await made.connection.close();
  const error = t.throws(() => {
    made.connection.publish(createInbox());
  });
  t.is(toJugqError(error, 'publishing').code, 'SERVER_UNREACHABLE');
  await made[Symbol.asyncDispose]();
});

test('an error of ours: handed on as it is', (t) => {
  const own = new JugqError('VALUE_CORRUPT', 'gone');
  t.is(toJugqError(own, 'reading'), own);
});

test("a mistake in code is a bug, another plain error the server's failure; both keep their cause", (t) => {
  const mistake = new TypeError('x is not a function');
  t.is(toJugqError(mistake, 'reading').code, 'BUG');
  const other = toJugqError(new Error('object not found'), 'reading');
  t.is(other.code, 'SERVER_FAILED');
  t.is(other.message, 'reading: object not found');
  t.is(toJugqError(mistake, 'reading').cause, mistake);
});

test('an API error and a client error of one number: told apart', (t) => {
  const off = new NatsError('jetstream not enabled', '503');
  off.api_error = { code: 503, err_code: 10076, description: 'JetStream not enabled' };
  t.is(toJugqError(off, 'asking').code, 'SERVER_NO_JETSTREAM');
  t.false(isUnanswered(off) || isTransient(off));
});
