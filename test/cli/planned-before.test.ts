/** Plans that lie about while results change, before anybody dispatches them. */
import test from 'ava';
import { executions, projectOn, repeated } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Status {
  readonly totals: Record<string, number>;
}

for (const [gone, kept, why] of [
  ['a', 'b', 'what was stored last is still there'],
  ['b', 'a', 'what was stored last is marked as well'],
] as const) {
  test.serial(
    `results go after a plan, and ${why}: they are computed again, no others`,
    async (t) => {
      await using user = await projectOn(server, 'letters');
      for (const name of ['a', 'b']) t.is((await user.run('run', 'jugfile.ts', name)).status, 0);
      t.like(await user.json('plan', 'jugfile.ts', 'a', 'b', 'c', '--json'), { cached: 100 });
      await user.run('invalidate', `=${gone}`);
      const before = (await executions(user)).length;
      t.is((await user.run('worker', '--exit-when-done')).status, 0);
      const again = (await executions(user)).slice(before);
      t.deepEqual(repeated(again), []);
      t.deepEqual([...new Set(again.map((line) => line.slice(0, 1)))].sort(), [gone, 'c']);
      t.is(again.length, 100, `${kept} stays`);
      const { totals } = await user.json<Status>('status', '--json');
      t.is(totals['finished'], 150);
    },
  );
}
