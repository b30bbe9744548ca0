/** Cases that who comes from jug relies on, from the first command to the last: counts in every state. */
import test from 'ava';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Status {
  readonly totals: Record<string, number>;
  readonly functions: Record<string, Record<string, number>>;
}

test.serial(
  'a chain of stages: counts before and after, values, and nothing runs twice',
  async (t) => {
    await using user = await projectOn(server, 'stages');
    await user.run('plan', 'jugfile.ts');
    const before = await user.json<Status>('status', 'jugfile.ts', '--json');
    const nothing = { failed: 0, blocked: 0, running: 0, finished: 0 };
    t.like(before.totals, { ...nothing, waiting: 24, ready: 8 });
    t.like(before.functions, {
      double: { waiting: 0, ready: 8 },
      plus1: { waiting: 8, ready: 0 },
      sum2: { waiting: 16, ready: 0 },
    });
    t.is((await user.run('check', 'jugfile.ts')).status, 1);
    t.is((await user.run('worker', '--exit-when-done')).status, 0);
    const after = await user.json<Status>('status', 'jugfile.ts', '--json');
    t.like(after.totals, { failed: 0, blocked: 0, waiting: 0, ready: 0, running: 0, finished: 32 });
    t.is((await user.run('check', 'jugfile.ts')).status, 0);
    t.deepEqual(await user.json('get', 'jugfile.ts', 'values'), [6, 10, 14, 18, 22, 26, 30, 34]);
    t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 0 });
    t.is((await executions(user)).length, 32);
  },
);

test.serial(
  'keep going: 14 finished, 3 failed, 3 blocked; --keep-failed executes nothing',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    t.is((await user.run('run', 'jugfile.ts')).status, 1);
    const { totals } = await user.json<Status>('status', '--json');
    t.like(totals, { finished: 14, failed: 3, blocked: 3, waiting: 0, ready: 0, running: 0 });
    const ran = (await executions(user)).length;
    t.like(await user.json('run', '--keep-failed', '--json', 'jugfile.ts'), { executed: 0 });
    t.is((await executions(user)).length, ran);
  },
);

test.serial('check: 16 tasks and 2 joins: 1, then 0', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.write(
    'joins.ts',
    `import { task } from 'jugq';
     const one = task(function one(x: number): number { return x; });
     const join = task(function join(xs: number[]): number { return xs.length; });
     const all = Array.from({ length: 16 }, (_, x) => one(x));
     export const joins = [join(all.slice(0, 8)), join(all.slice(8))];`,
  );
  const first = await user.run('check', 'joins.ts');
  t.deepEqual([first.status, first.stdout.includes('0 of 18 tasks finished')], [1, true]);
  t.is((await user.run('run', 'joins.ts')).status, 0);
  const { status, stdout } = await user.run('check', 'joins.ts');
  t.deepEqual([status, stdout], [0, 'joins.ts: done: 18 tasks\n']);
});

test.serial(
  'duplicates: f(1) declared three times runs once, counts once, goes whole',
  async (t) => {
    await using user = await projectOn(server, 'stages');
    await user.write(
      'twins.ts',
      `import { appendFileSync } from 'node:fs';
     import { task } from 'jugq';
     const f = task(function f(x: number): number { appendFileSync('ran.log', 'f\\n'); return x; });
     export const all = [f(1), f(1), f(1)];`,
    );
    t.like(await user.json('run', '--json', 'twins.ts'), { tasks: 1, executed: 1 });
    t.deepEqual(await executions(user), ['f']);
    t.like(await user.json('count', '--json', 'twins.ts'), { total: 1 });
    t.like(await user.json('invalidate', '--json', '=f'), { tasks: 1, results: 1 });
    t.is((await user.run('get', 'twins.ts', 'all')).status, 1);
  },
);
