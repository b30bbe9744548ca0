import test from 'ava';
import { headers, StorageType, type JetStreamManager, type NatsConnection } from 'nats';
import { connectBroker } from '../../broker/connection.ts';
import { follow, type Followed, type FollowOptions, type Following } from '../../broker/follow.ts';
import { Publisher } from '../../broker/publisher.ts';
import { settingsFor } from '../kit/connecting.ts';
import { eventually } from '../kit/eventually.ts';
import { startServer, testServers, type TestServer } from '../kit/servers.ts';

const servers = await testServers();
const stream = 'followed';

interface Bench extends AsyncDisposable {
  readonly server: TestServer;
  readonly connection: NatsConnection;
  readonly manager: JetStreamManager;
  /** Publishes so many messages, with their number in the subject, and waits until all are stored. */
  readonly publish: (count: number, kind?: string, payload?: Uint8Array) => Promise<void>;
  readonly make: () => Promise<void>;
  readonly follow: (options?: Partial<FollowOptions>) => Following & { readonly seen: Followed[] };
}

async function startBench(path: string): Promise<Bench> {
  const server = await startServer({ binary: path });
  const connection = await connectBroker(settingsFor(server), () => undefined);
  const manager = await connection.jetstreamManager();
  const publisher = new Publisher(connection);
  const make = async (): Promise<void> => {
    const storage = StorageType.File;
    await manager.streams.add({ name: stream, subjects: ['f.>'], storage });
  };
  await make();
  const all = headers();
  all.set('Kind', 'test');
  return {
    server,
    connection,
    manager,
    make,
    publish: async (count, kind = 'a', payload = Uint8Array.of(1)) => {
      for (let i = 0; i < count; i++) {
        await publisher.room();
        publisher.send(
          { subject: `f.${kind}.${i.toString()}`, payload, headers: all },
          () => undefined,
        );
      }
      await publisher.drained();
    },
    follow: (options = {}) => {
      const seen: Followed[] = [];
      const following = follow(connection, manager, {
        stream,
        from: 1,
        onMessage: (message) => {
          seen.push(message);
        },
        ...options,
      });
      return {
        seen,
        caughtUp: following.caughtUp,
        get sequence() {
          return following.sequence;
        },
        stop: () => {
          following.stop();
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      publisher.close();
      await connection.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** The sequences are those from `from` to `to`, each once and in order. */
function inOrder(
  seen: readonly { readonly sequence: number }[],
  from: number,
  to: number,
): boolean {
  return seen.length === to - from + 1 && seen.every((each, i) => each.sequence === from + i);
}

async function consumersOf(manager: JetStreamManager): Promise<string[]> {
  const found = await manager.consumers.list(stream).next();
  return found.map((each) => each.name);
}

function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `follow (${version}): ${claim}`;

  test(
    name('from a sequence on, what is there and what comes: in order, without gaps'),
    async (t) => {
      await using bench = await startBench(path);
      await bench.publish(1000);
      const following = bench.follow({ from: 301 });
      await following.caughtUp;
      t.true(inOrder(following.seen, 301, 1000));
      await bench.publish(1000);
      await eventually('the new messages', () => following.sequence === 2000);
      t.true(inOrder(following.seen, 301, 2000));
      t.is(following.seen[0]?.subject, 'f.a.300');
      following.stop();
    },
  );

  test(name('200,000 messages for a reader that is slow at times: none is lost'), async (t) => {
    await using bench = await startBench(path);
    const count = 200_000;
    await bench.publish(count);
    let expected = 1;
    const following = bench.follow({
      headersOnly: true,
      onMessage: ({ sequence }) => {
        if (sequence === expected) expected++;
        if (sequence % 20_000 === 0) spin(100);
      },
    });
    await following.caughtUp;
    t.is(expected - 1, count);
    following.stop();
  });

  test(
    name('SIGKILL and restart of the server while messages come: in order, without gaps'),
    async (t) => {
      await using bench = await startBench(path);
      await bench.publish(1000);
      const following = bench.follow({
        onReplaced: () => {
          t.fail('it is the same stream');
        },
      });
      await following.caughtUp;
      const publishing = bench.publish(5000);
      await eventually('some of them', () => following.sequence > 1100);
      await bench.server.kill('SIGKILL');
      await bench.server.restart();
      await publishing;
      // A request that was sent before the client has noticed the restart has no answer.
      const { state } = await eventually('the state of the stream', () =>
        bench.manager.streams.info(stream).catch(() => undefined),
      );
      t.true(state.last_seq >= 6000);
      await eventually('all of them', () => following.sequence === state.last_seq);
      t.true(inOrder(following.seen, 1, state.last_seq));
      following.stop();
    },
  );

  test(name('its consumer deleted by hand: goes on after the last message seen'), async (t) => {
    await using bench = await startBench(path);
    await bench.publish(100);
    const following = bench.follow();
    await following.caughtUp;
    const [consumer = ''] = await eventually('its consumer', async () => {
      const found = await consumersOf(bench.manager);
      return found.length === 1 && found;
    });
    await bench.manager.consumers.delete(stream, consumer);
    await bench.publish(100);
    await eventually('what came after that', () => following.sequence === 200);
    t.true(inOrder(following.seen, 1, 200));
    following.stop();
  });

  test(
    name('stream deleted and made again: said once, then the new one from its first message'),
    async (t) => {
      await using bench = await startBench(path);
      await bench.publish(100);
      let replaced = 0;
      const sequences: number[] = [];
      const following = bench.follow({
        onMessage: ({ sequence }) => {
          sequences.push(sequence);
        },
        onReplaced: () => {
          replaced++;
          sequences.length = 0;
        },
      });
      await following.caughtUp;
      await bench.manager.streams.delete(stream);
      await bench.make();
      await bench.publish(200);
      await eventually('the new messages', () => replaced > 0 && following.sequence === 200);
      t.is(replaced, 1);
      t.true(
        inOrder(
          sequences.map((sequence) => ({ sequence })),
          1,
          200,
        ),
      );
      following.stop();
    },
  );

  test(
    name(
      'server back with an empty store: said once, and the stream followed when it is made again',
    ),
    async (t) => {
      await using bench = await startBench(path);
      await bench.publish(100);
      let replaced = 0;
      const following = bench.follow({
        onReplaced: () => {
          replaced++;
        },
      });
      await following.caughtUp;
      await bench.server.restart({ emptyStore: true });
      await eventually('the word that it is gone', () => replaced === 1);
      await bench.make();
      await bench.publish(10);
      await eventually('the new messages', () => following.sequence === 10);
      t.is(replaced, 1);
      following.stop();
    },
  );

  test(
    name('stopped when it is told that the stream is another: nothing of the new one comes'),
    async (t) => {
      await using bench = await startBench(path);
      await bench.publish(10);
      let replaced = 0;
      const following = bench.follow({
        onReplaced: () => {
          replaced++;
          following.stop();
        },
      });
      await following.caughtUp;
      await bench.server.restart({ emptyStore: true });
      await eventually('the word that it is gone', () => replaced === 1);
      await bench.make();
      await bench.publish(10);
      const other = bench.follow();
      await other.caughtUp;
      t.is(other.seen.length, 10);
      t.is(following.seen.length, 10);
      t.is((await consumersOf(bench.manager)).length, 1);
      other.stop();
    },
  );

  test(name('empty stream: caught up at once'), async (t) => {
    await using bench = await startBench(path);
    const following = bench.follow();
    await following.caughtUp;
    t.is(following.seen.length, 0);
    await bench.publish(1);
    await eventually('a message', () => following.seen.length === 1);
    following.stop();
  });

  test(name('nothing matches the filters: caught up at once'), async (t) => {
    await using bench = await startBench(path);
    await bench.publish(10);
    const following = bench.follow({ subjects: ['f.b.>', 'f.c.>'] });
    await following.caughtUp;
    t.is(following.seen.length, 0);
    await bench.publish(1, 'c');
    await eventually('what matches', () => following.seen.length === 1);
    t.is(following.sequence, 11);
    following.stop();
  });

  test(
    name('last match before the end of the stream: caught up with just the matches'),
    async (t) => {
      await using bench = await startBench(path);
      await bench.publish(500, 'b');
      await bench.publish(1000, 'a');
      const following = bench.follow({ subjects: ['f.b.>'] });
      await following.caughtUp;
      t.true(inOrder(following.seen, 1, 500));
      following.stop();
    },
  );

  test(
    name('begins after the last message: caught up at once, and then just what comes'),
    async (t) => {
      await using bench = await startBench(path);
      await bench.publish(10);
      const following = bench.follow({ from: 11 });
      await following.caughtUp;
      t.is(following.seen.length, 0);
      await bench.publish(5);
      await eventually('what comes', () => following.sequence === 15);
      t.true(inOrder(following.seen, 11, 15));
      following.stop();
    },
  );

  test(name('more comes than is read: caught up with what was there at the start'), async (t) => {
    await using bench = await startBench(path);
    const count = 5000;
    const large = new Uint8Array(2000);
    await bench.publish(count, 'a', large);
    let added = 0;
    const following = bench.follow({
      onMessage: () => {
        // What was there is more than the server sends ahead, so that something is pending at all times.
        for (let i = 0; i < 2 && added < 50 * count; i++, added++) {
          bench.connection.publish(`f.more.${added.toString()}`);
        }
      },
    });
    await following.caughtUp;
    t.true(following.sequence >= count);
    t.true(added < 50 * count);
    following.stop();
  });

  test(name('headers only: no data, but headers and subject'), async (t) => {
    await using bench = await startBench(path);
    await bench.publish(3);
    const following = bench.follow({ headersOnly: true });
    await following.caughtUp;
    t.deepEqual(
      following.seen.map(({ data, subject, headers: all }) => [
        data.length,
        subject,
        all?.get('Kind'),
      ]),
      [0, 1, 2].map((i) => [0, `f.a.${i.toString()}`, 'test']),
    );
    following.stop();
  });

  test(name('stopped: nothing more comes, and its consumer goes'), async (t) => {
    await using bench = await startBench(path);
    const following = bench.follow();
    await following.caughtUp;
    following.stop();
    await bench.publish(10);
    await eventually(
      'the consumer to go',
      async () => (await consumersOf(bench.manager)).length === 0,
    );
    t.is(following.seen.length, 0);
  });

  test(name('connection closed before it has caught up: whoever waits is told'), async (t) => {
    await using bench = await startBench(path);
    const following = bench.follow({ stream: 'missing' });
    await bench.connection.close();
    await t.throwsAsync(following.caughtUp, { code: 'SERVER_UNREACHABLE' });
  });
}
