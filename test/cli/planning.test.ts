/** Jugfiles that wait while they are planned, as a user sees them. */
import { hostname } from 'node:os';
import test from 'ava';
import { openProjectOf } from '../faults/open-project.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { userDirectory, type UserDirectory } from '../kit/cli.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Status {
  readonly totals: Record<string, number>;
  readonly runs: readonly { readonly state: string; readonly note?: string }[];
}

async function exported(user: UserDirectory, name: string): Promise<unknown> {
  const { status, stdout, stderr } = await user.run('get', 'jugfile.ts', name);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/** A directory with this jugfile, and a project of its own on the test's server. */
function userWith(jugfile: string): Promise<UserDirectory> {
  const project = `p${Math.random().toString(36).slice(2)}`;
  return userDirectory(
    { 'jugfile.ts': jugfile },
    { JUGQ_SERVER: server.url, JUGQ_PROJECT: project },
  );
}

/** Plans without waiting, then works until nothing is left to do. */
async function planAndWork(user: UserDirectory, ...args: string[]): Promise<void> {
  const planned = await user.run('plan', 'jugfile.ts', ...args);
  if (planned.status !== 0) throw new Error(planned.stderr);
  const worker = await user.run('worker', '--exit-when-done', '-j', '2');
  if (worker.status !== 0) throw new Error(worker.stderr);
}

const barrierOnce = ['count 0', 'count 1', 'count 2', 'count 3', 'double 1', 'double 2'];

test.serial('barrier and value: one run goes through; planned again, nothing runs', async (t) => {
  await using user = await projectOn(server, 'barrier');
  const { status, stderr } = await user.run('run', 'jugfile.ts');
  t.is(status, 0, stderr);
  t.is(await exported(user, 'two'), 2.0000000000000004);
  t.is(await exported(user, 'four'), 4.000000000000002);
  t.is(await exported(user, 'eight'), 8.000000000000005);
  t.deepEqual(await exported(user, 'counted'), [0, 1, 2, 3]);
  const again = await user.run('run', 'jugfile.ts');
  t.is(again.status, 0);
  t.regex(again.stderr, /nothing to run/);
  t.is((await executions(user)).filter((each) => each.startsWith('count')).length, 4);
});

test.serial('barrier: planned and left, workers plan on; each task runs once', async (t) => {
  await using user = await projectOn(server, 'barrier');
  const planned = await user.run('plan', 'jugfile.ts');
  t.regex(planned.stdout, /double +1 +0 +1\nplanning waits at jugfile\.ts:\d+:\d+/);
  t.is((await user.json<Status>('status', '--json')).runs[0]?.state, 'parked');
  const worker = await user.run('worker', '--exit-when-done');
  t.is(worker.status, 0, worker.stderr);
  t.is((await user.json<Status>('status', '--json')).runs[0]?.state, 'finished');
  t.deepEqual(await exported(user, 'counted'), [0, 1, 2, 3]);
  const executed = (await executions(user)).map((each) => each.replace(/\.0+\d$/, '')).toSorted();
  // `call` gets `double` as a plain function, and calls it with four.
  t.deepEqual(
    executed.filter((each) => !each.startsWith('double 4')),
    barrierOnce,
  );
});

test.serial(
  'get and status while planning waits: an error that says for what; one task',
  async (t) => {
    await using user = await projectOn(server, 'barrier');
    await user.run('plan', 'jugfile.ts');
    const got = await user.run('get', 'jugfile.ts', 'eight');
    t.is(got.status, 1);
    t.is(got.stdout, '');
    t.regex(got.stderr, /planning of jugfile\.ts is not done: at jugfile\.ts:\d+:\d+ it waits/);
    const { totals } = await user.json<Status>('status', '--json', 'jugfile.ts');
    t.is(totals['ready'], 1);
  },
);

test.serial('wait goes through barriers', async (t) => {
  await using user = await projectOn(server, 'barrier');
  await user.run('plan', 'jugfile.ts');
  const waiting = user.start('wait');
  const worker = await user.run('worker', '--exit-when-done');
  t.is(worker.status, 0, worker.stderr);
  const { status, stderr } = await waiting.finished;
  t.is(status, 0, stderr);
  t.deepEqual(await exported(user, 'counted'), [0, 1, 2, 3]);
});

test.serial('a planner that is killed while it waits: a worker plans on', async (t) => {
  await using user = await projectOn(server, 'barrier');
  const planner = user.start('plan', '--wait', 'jugfile.ts');
  await planner.printed(/double/);
  await using project = await openProjectOf(user, server);
  const signs = (): Promise<unknown[]> => project.runs.list('*.planner');
  await eventually('its sign of life', async () => (await signs()).length > 0);
  planner.process.kill('SIGKILL');
  await planner.finished;
  const worker = await user.run('worker', '--exit-when-done');
  t.is(worker.status, 0, worker.stderr);
  t.deepEqual(await exported(user, 'counted'), [0, 1, 2, 3]);
  t.deepEqual(await signs(), [], 'at the next step nobody would wait for it again');
});

test.serial(
  'compounds: inner tasks run once, and do not exist where the result is there',
  async (t) => {
    await using user = await projectOn(server, 'compounds');
    const first = await user.run('run', 'jugfile.ts');
    t.is(first.status, 0, first.stderr);
    t.deepEqual(await exported(user, 'eight'), [8, 8]);
    t.is(await exported(user, 'sixteen'), 16);
    t.deepEqual(await exported(user, 'nested'), { inner: [10, 10], known: 210, last: 420 });
    const executed = await executions(user);
    t.deepEqual(executed.filter((each) => each.startsWith('double')).toSorted(), [
      'double 105',
      'double 210',
      'double 4',
      'double 5',
    ]);
    const { totals } = await user.json<Status>('status', '--json', 'jugfile.ts');
    t.is(totals['finished'], 3);
    const again = await user.run('plan', 'jugfile.ts');
    t.regex(again.stdout, /nothing to run/);
    t.notRegex(again.stdout, /double/);
    t.deepEqual(await executions(user), executed);
  },
);

test.serial('compounds, planned and left: workers expand what waits for a value', async (t) => {
  await using user = await projectOn(server, 'compounds');
  await planAndWork(user);
  t.deepEqual(await exported(user, 'nested'), { inner: [10, 10], known: 210, last: 420 });
});

test.serial(
  'a loop of values: planning goes on each time, and waits no longer than it must',
  async (t) => {
    await using user = await userWith(`
    import { task, value } from 'jugq';
    const half = task(function half(x: number): number { return x / 2; });
    let x = 64;
    while (x > 1) x = await value(half(x));
    export const rest = half(x);
  `);
    const { status, stderr } = await user.run('run', 'jugfile.ts');
    t.is(status, 0, stderr);
    t.is(await exported(user, 'rest'), 0.5);
    t.regex(stderr, /7 tasks: 7 executed/);
  },
);

test.serial(
  'value of a failed task: the run fails and says where, whatever the jugfile catches',
  async (t) => {
    await using user = await userWith(`
    import { task, value } from 'jugq';
    const boom = task(function boom(): number { throw new Error('no luck'); });
    const next = task(function next(x: number): number { return x; });
    let x = 0;
    try { x = await value(boom()); } catch { x = 1; }
    export const after = next(x);
  `);
    const { status, stderr } = await user.run('run', 'jugfile.ts');
    t.is(status, 1);
    t.regex(stderr, /✗ boom\./);
    t.regex(stderr, /planning stopped at jugfile\.ts:6:\d+: a task that it waits for has failed/);
    t.notRegex(stderr, /next/);
  },
);

test.serial('an error behind a value: the user’s error, and the run has failed', async (t) => {
  await using user = await userWith(`
    import { task, value } from 'jugq';
    const one = task(function one(): number { return 1; });
    const x = await value(one());
    if (x === 1) throw new RangeError('one is too few');
  `);
  const { status, stderr } = await user.run('run', 'jugfile.ts');
  t.is(status, 2, stderr);
  t.regex(stderr, /RangeError: one is too few/);
  t.regex(stderr, /jugfile\.ts:5/);
  t.is((await user.json<Status>('status', '--json')).runs[0]?.state, 'failed');
});

test.serial(
  'a second evaluation that declares other tasks: the run fails and names the first',
  async (t) => {
    await using user = await userWith(`
    import { task, value } from 'jugq';
    const one = task(function one(x: number): number { return x; });
    export const y = one(await value(one(Math.random())));
  `);
    await planAndWork(user);
    const { runs } = await user.json<Status>('status', '--json');
    t.is(runs[0]?.state, 'failed');
    t.regex(
      runs[0]?.note ?? '',
      /declares other tasks than at first: one\.[a-z2-7]{32} \(number 1\)/,
    );
    t.true(runs[0]?.note?.includes(`planning went on at ${hostname()}`));
  },
);

test.serial(
  'cached: computed while planning, once; other arguments are another value',
  async (t) => {
    await using user = await userWith(`
    import { cached, task } from 'jugq';
    import { appendFileSync } from 'node:fs';
    function identity<T>(x: T): T { appendFileSync('ran.log', 'identity\\n'); return x; }
    const same = task(function same<T>(x: T): T { return x; });
    export const number = same(await cached(identity, 123));
    export const text = same(await cached(identity, 'mixture'));
    export const bytes = same([...(await cached(identity, new Uint8Array([1, 2, 3])))]);
  `);
    t.is((await user.run('run', 'jugfile.ts')).status, 0);
    t.is(await exported(user, 'number'), 123);
    t.is(await exported(user, 'text'), 'mixture');
    t.deepEqual(await exported(user, 'bytes'), [1, 2, 3]);
    t.is((await executions(user)).length, 3);
  },
);

test.serial(
  'the plan function gets the arguments, and may wait; get answers with those of the run',
  async (t) => {
    await using user = await userWith(`
    import { barrier, task, value } from 'jugq';
    const join = task(function join(parts: string[]): string { return parts.join(' '); });
    export default async function plan(args: string[]): Promise<object> {
      const joined = join(args);
      await barrier();
      const text = await value(joined);
      return { joined, length: join([text.length.toString()]) };
    }
  `);
    const args = ['a1', '--', '--arg', '--x=1'];
    const { status, stderr } = await user.run('run', 'jugfile.ts', ...args);
    t.is(status, 0, stderr);
    t.is(await exported(user, 'joined'), 'a1 --arg --x=1');
    t.is(await exported(user, 'length'), '14');
  },
);
