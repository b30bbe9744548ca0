import test from 'ava';
import type { JetStreamManager, StreamConfig } from 'nats';
import { Puller } from '../../broker/pull.ts';
import { bucketStream, namesOf } from '../../broker/topology.ts';
import { parseProject } from '../../core/identifiers.ts';
import { startCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { openTestProject } from '../kit/project.ts';
import { startServer, testServers } from '../kit/servers.ts';

const servers = await testServers();

const streams = [
  'KV_jugq-test-failures',
  'KV_jugq-test-leases',
  'KV_jugq-test-results',
  'KV_jugq-test-runs',
  'KV_jugq-test-workers',
  'OBJ_jugq-test-blobs',
  'OBJ_jugq-test-code',
  'OBJ_jugq-test-plans',
  'jugq-test-tasks',
];

async function configurations(manager: JetStreamManager): Promise<Map<string, StreamConfig>> {
  const found = new Map<string, StreamConfig>();
  for await (const { config } of manager.streams.list()) found.set(config.name, config);
  return found;
}

test('topology: names of a project: as documented', (t) => {
  const { tasks, results, leases } = namesOf(parseProject('p_1'));
  t.deepEqual([tasks, results, leases], ['jugq-p_1-tasks', 'jugq-p_1-results', 'jugq-p_1-leases']);
});

for (const { path, version } of servers) {
  const name = (claim: string): string => `topology (${version}): ${claim}`;

  test(
    name('opened by five at once, and again: each stream there, once and unchanged'),
    async (t) => {
      await using server = await startServer({ binary: path });
      const opened = await Promise.all(Array.from({ length: 5 }, () => openTestProject(server)));
      const [first] = opened;
      if (first === undefined) throw new Error('expected a project');
      const before = await configurations(first.manager);
      t.deepEqual([...before.keys()].sort(), streams);
      await first.runs.put('a', Uint8Array.of(1), 0);
      await using again = await openTestProject(server);
      t.deepEqual(await configurations(again.manager), before);
      t.deepEqual((await again.runs.get('a'))?.value, Uint8Array.of(1));
      for (const each of opened) await each[Symbol.asyncDispose]();
    },
  );

  test(name('opened when all is there: nothing is asked to be made'), async (t) => {
    await using server = await startServer({ binary: path });
    await using first = await openTestProject(server);
    const options = { queue: 'default', ackWaitMs: 1000 };
    const pull = async (): Promise<void> => {
      await using project = await openTestProject(server);
      const { connection, manager, names } = project;
      const ready = new Promise<void>((resolve, reject) => {
        new Puller(connection, manager, names, {
          ...options,
          onDelivery: () => undefined,
          onTrouble: (trouble) => {
            if (trouble === undefined) resolve();
            else reject(trouble);
          },
        });
      });
      await ready;
    };
    await pull();
    const asked: string[] = [];
    const hear = first.connection.subscribe('$JS.API.*.CREATE.>', {
      callback: (_error, { subject }) => asked.push(subject),
    });
    await first.connection.flush();
    await pull();
    await first.connection.flush();
    t.deepEqual(asked, []);
    await first.manager.streams.delete(bucketStream(first.names.runs));
    await using again = await openTestProject(server);
    await again.connection.flush();
    await eventually('the request for the one that is missing', () => asked.length === 1);
    t.deepEqual(asked, ['$JS.API.STREAM.CREATE.KV_jugq-test-runs']);
    hear.unsubscribe();
  });

  test(name('queue and buckets: configured as the protocol needs them'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const found = await configurations(project.manager);
    t.like(found.get('jugq-test-tasks'), {
      retention: 'workqueue',
      storage: 'file',
      discard: 'new',
      discard_new_per_subject: true,
      max_msgs_per_subject: 1,
      subjects: ['jugq.test.task.>'],
    });
    for (const bucket of ['results', 'failures', 'runs']) {
      t.like(found.get(`KV_jugq-test-${bucket}`), {
        storage: 'file',
        max_msgs_per_subject: 1,
        max_age: 0,
        deny_delete: true,
        allow_direct: true,
        discard: 'new',
      });
    }
    for (const bucket of ['workers', 'leases']) {
      t.true((found.get(`KV_jugq-test-${bucket}`)?.max_age ?? 0) > 0);
    }
  });

  test(name('limits that an operator has changed: kept when it is opened again'), async (t) => {
    await using server = await startServer({ binary: path });
    const changes: Record<string, Partial<StreamConfig>> = {
      'jugq-test-tasks': { max_bytes: 5_000_000, description: 'of the physics group' },
      'KV_jugq-test-results': { max_bytes: 7_000_000, max_age: 3600 * 1e9 },
      'OBJ_jugq-test-blobs': { max_bytes: 9_000_000 },
    };
    {
      await using project = await openTestProject(server);
      for (const [stream, change] of Object.entries(changes)) {
        const { config } = await project.manager.streams.info(stream);
        await project.manager.streams.update(stream, { ...config, ...change });
      }
    }
    await using project = await openTestProject(server);
    const found = await configurations(project.manager);
    for (const [stream, change] of Object.entries(changes)) t.like(found.get(stream), change);
    await project.blobs.put('a', [Uint8Array.of(1)]);
    t.deepEqual(await project.blobs.get('a'), Uint8Array.of(1));
  });

  test(
    name('server that lost its store: everything is made again without anybody asking'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      await server.restart({ emptyStore: true });
      await eventually('all streams', async () => {
        const found = await configurations(project.manager).catch(() => undefined);
        return found?.size === streams.length;
      });
      t.is(await project.runs.put('a', Uint8Array.of(1), 0), 1);
    },
  );

  test(name('no room for it: an error that says what to do'), async (t) => {
    const config =
      'accounts { A { users: [{ user: a, password: b }], jetstream: { max_streams: 3 } } }';
    await using server = await startServer({ binary: path, config });
    const url = `nats://a:b@127.0.0.1:${server.port.toString()}`;
    const error = await t.throwsAsync(openTestProject(url));
    t.like(error, { code: 'SERVER_FULL' });
    t.regex(error.message, /making the stream .*jugq-test-/);
  });

  test(
    name('three replicas: every stream has them, and survives the loss of a server'),
    async (t) => {
      await using cluster = await startCluster(3, { binary: path });
      const [first, second] = cluster.servers;
      if (first === undefined || second === undefined) throw new Error('expected servers');
      const all = { settings: { servers: cluster.urls } };
      const [project, other] = await Promise.all([
        openTestProject(first, { ...all, replicas: 3 }),
        openTestProject(second, { ...all, replicas: 3 }),
      ]);
      // A server of a cluster lists what the others tell it in time.
      const found = await eventually('all streams', async () => {
        const listed = await configurations(project.manager);
        return listed.size === streams.length && listed;
      });
      t.deepEqual([...found.keys()].sort(), streams);
      t.deepEqual(new Set([...found.values()].map((each) => each.num_replicas)), new Set([3]));
      const revision = await project.runs.put('a', Uint8Array.of(1), 0);
      const leader = await cluster.leaderOf('KV_jugq-test-runs');
      await leader.kill('SIGKILL');
      t.truthy(await project.runs.put('a', Uint8Array.of(2), revision));
      const entry = await eventually('the entry', () => other.runs.get('a').catch(() => undefined));
      t.deepEqual(entry.value, Uint8Array.of(2));
      for (const each of [project, other]) await each[Symbol.asyncDispose]();
    },
  );
}
