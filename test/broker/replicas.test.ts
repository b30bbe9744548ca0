/** What a cluster makes of writes and questions while one of its servers is behind, or has just been killed. */
import test from 'ava';
import { setTimeout as delay } from 'node:timers/promises';
import type { PublishOutcome } from '../../broker/publisher.ts';
import { encodeValue } from '../../core/codec.ts';
import { idOf } from '../../core/graph.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { startCluster, type TestCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { graphOf } from '../kit/graphs.ts';
import { factsWith, openTestProject, type TestProject } from '../kit/project.ts';
import { testServers, type TestServer } from '../kit/servers.ts';

const stream = 'KV_jugq-test-results';

function put(
  { results }: TestProject,
  id: TaskId,
  { by, bytes = 10 }: { readonly by: string; readonly bytes?: number },
): Promise<PublishOutcome> {
  const value = encodeValue(`${by} ${'x'.repeat(bytes)}`);
  return new Promise((settle) => {
    results.put({ id, value, facts: factsWith(by), expects: 0 }, settle);
  });
}

/** A server that holds the stream and does not lead it. */
async function followerIn(cluster: TestCluster): Promise<TestServer> {
  const leader = await cluster.leaderOf(stream);
  const follower = cluster.servers.find((each) => each !== leader);
  if (follower === undefined) throw new Error('expected three servers');
  return follower;
}

function othersThan(cluster: TestCluster, server: TestServer): string[] {
  return cluster.servers.filter((each) => each !== server).map((each) => each.url);
}

for (const { path, version } of await testServers()) {
  // Where there is much beside a few tasks, these are asked for one by one.
  for (const [way, tasks, others] of [
    ['asking', 100, 2000],
    ['scanning', 2000, 0],
  ] as const) {
    test.serial(
      `${version}: a replica that is behind is asked: what is known, by ${way}, is all that there is`,
      async (t) => {
        t.timeout(180_000);
        await using cluster = await startCluster(3, { binary: path });
        const [first = ''] = cluster.urls;
        await using opener = await openTestProject(first, { replicas: 3 });
        t.truthy(opener.names);
        let stale = 0;
        // How far behind it is when it is asked is chance: until it was at least once.
        for (let round = 0; round < 8 && stale === 0; round++) {
          const follower = await followerIn(cluster);
          const servers = othersThan(cluster, follower);
          await using writer = await openTestProject(servers[0] ?? '', {
            replicas: 3,
            settings: { servers },
          });
          await using reader = await openTestProject(follower, { replicas: 3 });
          const graph = graphOf({ [`f${round}`]: tasks });
          const ids = Array.from({ length: tasks }, (_, task) => idOf(graph, task));
          await follower.kill('SIGSTOP');
          const noise = graphOf({ [`g${round}`]: others });
          const noiseIds = Array.from({ length: others }, (_, task) => idOf(noise, task));
          const outcomes: PublishOutcome[] = [];
          for (const id of [...noiseIds, ...ids]) {
            await writer.publisher.room();
            void put(writer, id, { by: 'w', bytes: 20_000 }).then((outcome) =>
              outcomes.push(outcome),
            );
          }
          await writer.publisher.drained();
          await delay(50);
          // Asked all the while, from what it has at each moment.
          const asked: ReturnType<typeof reader.results.read>[] = [];
          const asking = setInterval(() => {
            for (const id of ids.slice(-5)) asked.push(reader.results.read(id));
          }, 2);
          const known = reader.results.known(graph);
          await follower.kill('SIGCONT');
          t.is((await known).filter((each) => each.present).length, tasks);
          clearInterval(asking);
          stale += (await Promise.all(asked)).filter((each) => each === undefined).length;
          t.true(outcomes.every((each) => each.kind === 'stored'));
        }
        // Whether a replica is caught being behind is chance; what is known must be right all the same.
        if (stale === 0) t.log('no replica was ever seen to be behind');
      },
    );
  }

  for (const [what, strike] of [
    ['killed', { down: 'SIGKILL' }],
    ['paused', { down: 'SIGSTOP' }],
  ] as const) {
    test.serial(
      `${version}: the leader is ${what} while two write the same keys: each key is written once`,
      async (t) => {
        t.timeout(180_000);
        await using cluster = await startCluster(3, { binary: path });
        const all = { replicas: 3, settings: { servers: cluster.urls } };
        await using one = await openTestProject(cluster.urls[0] ?? '', all);
        await using other = await openTestProject(cluster.urls[1] ?? '', all);
        // A second entry of a key would not hide behind the first.
        await one.manager.streams.update(stream, { max_msgs_per_subject: 64 });
        const graph = graphOf({ f: 3000 });
        const ids = Array.from({ length: 3000 }, (_, task) => idOf(graph, task));
        const accepted = new Map<TaskId, string[]>();
        const write = async (project: TestProject, by: string): Promise<void> => {
          for (const id of ids) {
            await project.publisher.room();
            void put(project, id, { by }).then((outcome) => {
              if (outcome.kind === 'stored') accepted.set(id, [...(accepted.get(id) ?? []), by]);
            });
            if (ids.indexOf(id) % 50 === 0) await delay(10);
          }
          await project.publisher.drained();
        };
        const writing = Promise.all([write(one, 'one'), write(other, 'other')]);
        await delay(200);
        const leader = await cluster.leaderOf(stream);
        await leader.kill(strike.down);
        const next = await eventually('another leader', async () => {
          const led = await cluster.leaderOf(stream);
          return led !== leader && led;
        });
        t.not(next.name, leader.name);
        if (what === 'paused') await leader.kill('SIGCONT');
        await writing;
        const entries = new Map<TaskId, string[]>();
        const following = other.results.follow(1, ({ id, facts }) => {
          entries.set(id, [...(entries.get(id) ?? []), facts?.digest ?? '']);
        });
        await following.caughtUp;
        following.stop();
        t.is(entries.size, ids.length);
        t.deepEqual(
          [...entries.values()].filter((each) => each.length > 1),
          [],
        );
        for (const [id, winners] of accepted) t.deepEqual(winners, entries.get(id));
        const known = await one.results.known(graph);
        t.is(known.filter((each) => each.present).length, ids.length);
      },
    );
  }
}
