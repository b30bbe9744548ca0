import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { openTestProject } from '../kit/project.ts';
import { startCluster } from '../kit/cluster.ts';
import { startServer, testServers } from '../kit/servers.ts';
import type { Entry } from '../../broker/bucket.ts';

const servers = await testServers();

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function text(entry: Entry | undefined): string | undefined {
  return entry?.value === undefined ? undefined : new TextDecoder().decode(entry.value);
}

for (const { path, version } of servers) {
  const name = (claim: string): string => `bucket (${version}): ${claim}`;

  test(name('put that expects another revision: refused, and the entry stays'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const { runs } = project;
    const first = await runs.put('a', bytes('1'), 0);
    t.is(await runs.put('a', bytes('2'), 0), undefined);
    const second = await runs.put('a', bytes('3'), first);
    t.truthy(second);
    t.is(await runs.put('a', bytes('4'), first), undefined);
    t.is(text(await runs.get('a')), '3');
    t.is((await runs.get('a'))?.revision, second);
    t.truthy(await runs.put('a', bytes('5')), 'whatever is there');
    t.is(text(await runs.get('a')), '5');
  });

  test(
    name('after a delete marker: a put expects the revision of the marker, not 0'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { runs } = project;
      const first = await runs.put('a', bytes('1'), 0);
      t.is(await runs.delete('a', (first ?? 0) + 1), undefined, 'a marker compares, too');
      const marker = await runs.delete('a', first);
      t.like(await runs.get('a'), { key: 'a', revision: marker ?? 0, value: undefined });
      t.is(await runs.put('a', bytes('2'), 0), undefined);
      t.is(await runs.put('a', bytes('2'), first), undefined);
      t.truthy(await runs.put('a', bytes('2'), marker));
      t.is(text(await runs.get('a')), '2');
    },
  );

  test(name('100 writers of one revision: one is accepted'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const { runs } = project;
    const first = await runs.put('a', bytes('0'), 0);
    const writers = Array.from({ length: 100 }, (_, i) => runs.put('a', bytes(String(i)), first));
    const stored = (await Promise.all(writers)).filter((each) => each !== undefined);
    t.is(stored.length, 1);
    t.is((await runs.get('a'))?.revision, stored[0]);
  });

  test(
    name('list: the last values in the order of their revisions, without markers'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { runs } = project;
      t.deepEqual(await runs.list(), []);
      for (const key of ['a', 'b', 'c.d', 'e']) await runs.put(key, bytes(`${key} 1`));
      await runs.delete('b');
      await runs.put('a', bytes('a 2'));
      t.deepEqual(
        (await runs.list()).map((each) => [each.key, text(each)]),
        [
          ['c.d', 'c.d 1'],
          ['e', 'e 1'],
          ['a', 'a 2'],
        ],
      );
    },
  );

  test(
    name('listed while keys are written again: still in the order of their revisions'),
    async (t) => {
      await using server = await startServer({ binary: path });
      await using project = await openTestProject(server);
      const { runs } = project;
      const keys = Array.from({ length: 500 }, (_, i) => `k${i.toString()}`);
      const write = (): Promise<unknown> =>
        Promise.all(keys.map((key) => runs.put(key, bytes(key))));
      await write();
      for (let round = 0; round < 10; round++) {
        const [listed] = await Promise.all([runs.list(), write()]);
        const revisions = listed.map((each) => each.revision);
        t.deepEqual(
          revisions,
          revisions.toSorted((a, b) => a - b),
        );
        t.is(new Set(listed.map((each) => each.key)).size, listed.length);
      }
    },
  );

  test(name('only markers: the list is empty'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    await project.runs.put('a', bytes('1'));
    await project.runs.delete('a');
    t.deepEqual(await project.runs.list(), []);
  });

  test(name('followed: values and markers from a revision on, then what comes'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const { runs } = project;
    await runs.put('a', bytes('1'));
    const from = (await runs.put('b', bytes('1'))) ?? 0;
    const seen: [string, string | undefined][] = [];
    const following = runs.follow(from, (entry) => seen.push([entry.key, text(entry)]));
    await following.caughtUp;
    await runs.delete('a');
    await eventually('the marker', () => seen.length === 2);
    t.deepEqual(seen, [
      ['b', '1'],
      ['a', undefined],
    ]);
    following.stop();
  });

  test(name('key that never had an entry: undefined'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    t.is(await project.runs.get('a'), undefined);
  });

  test(name('full: an error that says what to do, and no revision'), async (t) => {
    await using server = await startServer({ binary: path });
    await using project = await openTestProject(server);
    const stream = `KV_${project.names.runs}`;
    const { config } = await project.manager.streams.info(stream);
    await project.manager.streams.update(stream, { ...config, max_bytes: 2000 });
    await t.throwsAsync(project.runs.put('a', new Uint8Array(4000)), {
      code: 'SERVER_FULL',
      message: /writing a to jugq-test-runs: .*make room/,
    });
  });

  test(
    name('three replicas: what was written is read at once, whatever replica is asked'),
    async (t) => {
      await using cluster = await startCluster(3, { binary: path });
      const [first, second] = cluster.servers;
      if (first === undefined || second === undefined) throw new Error('expected servers');
      await using writer = await openTestProject(first, { replicas: 3 });
      await using reader = await openTestProject(second, { replicas: 3 });
      for (let i = 0; i < 200; i++) {
        const revision = await writer.runs.put('a', bytes(String(i)));
        const read = await reader.runs.get('a');
        t.is(read?.revision, revision);
      }
    },
  );
}
