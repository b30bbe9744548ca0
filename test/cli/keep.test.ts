/** `task(fn, { keep: false })` as a user sees it. */
import test from 'ava';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Use {
  readonly functions: Readonly<
    Record<string, { readonly results: number; readonly blobs: number }>
  >;
}

test.serial('keep: false: gone when the run ends, with its blob; done all the same', async (t) => {
  await using user = await projectOn(server, 'passing');
  const run = await user.json('run', 'jugfile.ts', '--json');
  t.like(run, { state: 'finished', tasks: 5, executed: 5, cached: 0, dropped: 2 });
  const { functions } = await user.json<Use>('du', '--json');
  t.is(functions['large'], undefined);
  t.is(functions['weigh']?.results, 2);
  t.is((await user.run('check', 'jugfile.ts')).status, 0);
  t.is((await user.run('status', 'jugfile.ts', '--exit-code')).status, 0);
  t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 0 });
  t.is((await executions(user)).length, 4);
  for (const args of [['plan'], ['plan', '--dry-run']]) {
    const { stdout } = await user.run(...args, 'jugfile.ts');
    t.regex(stdout, /^function +tasks +there +dropped +(to|would) run.*\nlarge +2 +0 +2 +0\n/m);
    t.regex(stdout, /nothing (to|would) run: every result that is to stay is there\n/);
  }
  t.regex(
    (await user.run('status')).stdout,
    /dropped in run \S+: 2 large: functions with keep: false/,
  );
  const missing = await user.run('get', 'jugfile.ts', 'parts');
  t.is(missing.status, 1);
});

interface Shown {
  readonly boxes: readonly { readonly lines: readonly string[]; readonly state: string }[];
}

test.serial('keep: false: a task whose result is dropped is said to be so', async (t) => {
  await using user = await projectOn(server, 'passing');
  await user.run('run', 'jugfile.ts');
  const { boxes } = await user.json<Shown>('graph', '--tasks', '--json');
  const large = boxes.filter(({ lines }) => lines[0] === 'large');
  t.deepEqual(
    large.map(({ state }) => state),
    ['dropped', 'dropped'],
  );
  const hash = large[0]?.lines[1] ?? '';
  t.like(await user.json('describe', `large.${hash}`, '--json'), { state: 'dropped' });
  await user.run('invalidate', '=weigh');
  t.like(await user.json('describe', `large.${hash}`, '--json'), { state: 'ready' });
  await user.run('plan', 'jugfile.ts');
  await user.run('cancel', '=weigh');
  const cancelled = await user.json<Shown>('graph', '--tasks', '--json');
  t.deepEqual(
    cancelled.boxes.filter(({ lines }) => lines[0] === 'weigh').map(({ state }) => state),
    ['cancelled', 'cancelled'],
  );
});

test.serial('keep: false: computed again when what needs it has to be', async (t) => {
  await using user = await projectOn(server, 'passing');
  await user.run('run', 'jugfile.ts');
  await user.run('invalidate', '=weigh');
  const again = await user.json('run', 'jugfile.ts', '--json');
  t.like(again, { state: 'finished', executed: 5, dropped: 2 });
  t.is((await executions(user)).filter((line) => line.startsWith('large')).length, 4);
  t.is(await user.json<number>('get', 'jugfile.ts', 'total'), 3_000_010);
});

test.serial(
  'keep: false: what planning waits for stays, so that planning again finds it',
  async (t) => {
    await using user = await projectOn(server, 'passing');
    await user.write(
      'waits.ts',
      `import { barrier, task, value } from 'jugq';
     const early = task(function early(x: number): number { return x; }, { keep: false });
     const late = task(function late(x: number): number { return x + 1; });
     const first = early(1);
     const seen = await value(first);
     const second = early(2);
     await barrier();
     export const all = [late(first), late(second), late(early(3)), seen];`,
    );
    t.like(await user.json('run', 'waits.ts', '--json'), { executed: 6, dropped: 1 });
    t.like(await user.json('run', 'waits.ts', '--json'), { executed: 0 });
    t.deepEqual(await user.json('get', 'waits.ts', 'all'), [2, 3, 4, 1]);
  },
);

test.serial('keep: another value than true or false: 2, and what was expected', async (t) => {
  await using user = await projectOn(server, 'passing');
  await user.write('odd.js', `import { task } from 'jugq'; task(function f() {}, { keep: 'no' });`);
  const { status, stderr } = await user.run('plan', 'odd.js');
  t.is(status, 2);
  t.regex(stderr, /task f: option keep: expected true or false, got 'no'/);
});
