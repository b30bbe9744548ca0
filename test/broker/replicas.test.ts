/** What a cluster makes of writes and questions while one of its servers is behind, or has just been killed. */
import test from 'ava';
import { setTimeout as delay } from 'node:timers/promises';
import type { PublishOutcome } from '../../broker/publisher.ts';
import { encodeValue } from '../../core/codec.ts';
import { idOf, type Graph } from '../../core/graph.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { startCluster, startSplitCluster, type SplitCluster } from '../kit/cluster.ts';
import { eventually } from '../kit/eventually.ts';
import { graphOf } from '../kit/graphs.ts';
import { factsWith, openTestProject, type TestProject } from '../kit/project.ts';
import { testServers } from '../kit/servers.ts';

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

/** Three replicas, one of which has the first of the results of a graph, and nothing that came after it. */
interface Behind extends AsyncDisposable {
  readonly cluster: SplitCluster;
  /** Connected to the server whose replica is behind; and to another. */
  readonly far: TestProject;
  readonly near: TestProject;
  readonly graph: Graph;
  /** It has a value there, and a marker since. */
  readonly marked: TaskId;
  /** It has had its value since. */
  readonly added: TaskId;
}

/** @param others - how many results of no interest there are besides */
async function putBehind(binary: string, tasks: number, others: number): Promise<Behind> {
  const cluster = await startSplitCluster({ binary });
  try {
    return await fallBehind(cluster, tasks, others);
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

async function fallBehind(cluster: SplitCluster, tasks: number, others: number): Promise<Behind> {
  const [, second] = cluster.servers;
  if (second === undefined) throw new Error('expected three servers');
  const near = await openTestProject(second, { replicas: 3 });
  const far = await openTestProject(cluster.far, { replicas: 3 });
  const graph = graphOf({ f: tasks });
  const [marked, added, ...rest] = Array.from({ length: tasks }, (_, task) => idOf(graph, task));
  if (marked === undefined || added === undefined) throw new Error('expected tasks');
  await put(near, marked, { by: 'w' });
  const group = await eventually('another leader, and all replicas up to date', async () => {
    const { cluster: place } = await near.manager.streams.info(stream);
    if (place?.leader === cluster.far.name) await stepDown(near);
    else if (place?.replicas?.every((each) => each.current) === true) return groupOf(place);
    return undefined;
  });
  cluster.link.lose(group);
  const noise = graphOf({ g: others });
  const noiseIds = Array.from({ length: others }, (_, task) => idOf(noise, task));
  await near.results.mark(marked);
  for (const id of [added, ...rest, ...noiseIds]) {
    await near.publisher.room();
    void put(near, id, { by: 'w', bytes: others > 0 ? 20_000 : 10 });
  }
  await near.publisher.drained();
  return {
    ...{ cluster, far, near, graph, marked, added },
    [Symbol.asyncDispose]: async () => {
      for (const each of [far, near, cluster]) await each[Symbol.asyncDispose]();
    },
  };
}

async function stepDown({ connection }: TestProject): Promise<void> {
  await connection.request(`$JS.API.STREAM.LEADER.STEPDOWN.${stream}`, '', { timeout: 5000 });
}

/** What the replicas of the stream call each other; the client's types do not know it. */
function groupOf(place: object): string | undefined {
  return (place as { readonly raft_group?: string }).raft_group;
}

for (const { path, version } of await testServers()) {
  test.serial(
    `${version}: a replica that is behind: a read may be of before, the last word is the leader's`,
    async (t) => {
      t.timeout(180_000);
      await using behind = await putBehind(path, 2, 0);
      const { far, near, marked, added, cluster } = behind;
      // Any replica answers: that this one does is a matter of time.
      await eventually(
        'an answer of before',
        async () => (await far.results.read(marked))?.present,
      );
      await eventually('a value that is not there', async () => !(await far.results.read(added)));
      for (let n = 0; n < 30; n++) {
        t.is((await near.results.readLast(marked))?.present, false);
        t.true((await near.results.readLast(added))?.present);
      }
      const [last, value] = [far.results.readLast(marked), far.results.readLast(added)];
      // Its server has lost the leader, and tells what it has as if that were all.
      const left = await eventually('a replica without a leader', async () => {
        const { cluster: place, state } = await far.manager.streams.info(stream);
        return (place?.leader ?? '') === '' && state;
      });
      const revision = far.results.lastRevision();
      cluster.link.restore();
      t.is(await revision, 3);
      t.is(left.last_seq, 1);
      t.is((await last)?.present, false);
      t.true((await value)?.present);
      t.true(cluster.link.lost > 0);
    },
  );

  // Where there is much beside a few tasks, these are asked for one by one.
  test.serial(
    `${version}: a replica that is behind: what is known, by asking, is all that there is`,
    async (t) => {
      t.timeout(180_000);
      await using behind = await putBehind(path, 100, 2000);
      const { far, near, graph, marked, cluster } = behind;
      await eventually(
        'an answer of before',
        async () => (await far.results.read(marked))?.present,
      );
      for (const project of [near, far]) {
        const asked = project.results.known(graph);
        // Where its leader is lost by now, the answer has to wait.
        if (project === far) cluster.link.restore();
        const known = await asked;
        t.is(known.length, 100);
        t.deepEqual(
          known.filter((each) => !each.present).map((each) => idOf(graph, each.task)),
          [marked],
        );
      }
    },
  );

  test.serial(
    `${version}: a replica that is behind: what is known, by scanning, is all that there is`,
    async (t) => {
      t.timeout(180_000);
      await using behind = await putBehind(path, 2000, 0);
      const { near, graph, marked, cluster } = behind;
      let isScannedFar = false;
      // The server chooses which replica is scanned: until it was this one.
      while (!isScannedFar) {
        const scanning = near.results.known(graph);
        const over = scanning.then(() => 'over' as const);
        for (let turn: unknown; turn !== 'over'; turn = await Promise.race([over, delay(20)])) {
          const consumers = await near.manager.consumers.list(stream).next();
          isScannedFar ||= consumers.some((each) => each.cluster?.leader === cluster.far.name);
        }
        const known = await scanning;
        t.is(known.length, 2000);
        t.deepEqual(
          known.filter((each) => !each.present).map((each) => idOf(graph, each.task)),
          [marked],
        );
      }
      t.true(isScannedFar);
    },
  );

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
