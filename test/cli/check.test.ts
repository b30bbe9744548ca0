/** `jugq check` and `jugq count` as a user types them. */
import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

interface Check {
  readonly done: boolean;
  readonly totals: Record<string, number>;
  readonly functions: Record<string, Record<string, number>>;
}

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const none = { failed: 0, blocked: 0, waiting: 0, ready: 0, running: 0, finished: 0 };

test.serial('check: 1 on an empty project, 0 when all is finished; one line each', async (t) => {
  await using user = await projectOn(server, 'stages');
  const before = await user.run('check', 'jugfile.ts');
  t.is(before.status, 1, before.stderr);
  t.is(before.stdout, 'jugfile.ts: not done: 0 of 32 tasks finished, 24 waiting, 8 ready\n');
  await user.run('run', 'jugfile.ts');
  const after = await user.run('check', 'jugfile.ts');
  t.is(after.status, 0, after.stderr);
  t.is(after.stdout, 'jugfile.ts: done: 32 tasks\n');
  t.is(after.stderr, '');
});

test.serial('check: failed tasks: 1, and how many failed', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  await user.run('run', 'jugfile.ts');
  const { status, stdout } = await user.run('check', 'jugfile.ts');
  t.is(status, 1);
  t.regex(stdout, /not done: 14 of 20 tasks finished, 3 failed, 3 blocked\n$/);
  const answer = await user.json<Check>('check', '--json', 'jugfile.ts');
  t.like(answer, { done: false, totals: { ...none, failed: 3, blocked: 3, finished: 14 } });
});

test.serial('check: without arguments those of the newest run; with others, those', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.run('run', 'jugfile.ts', '2');
  t.is((await user.run('check', 'jugfile.ts')).status, 0);
  t.is((await user.run('check', 'jugfile.ts', '4')).status, 1);
});

test.serial('check: a jugfile without tasks is done', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const { status, stdout } = await user.run('check', 'jugfile.ts');
  t.is(status, 0);
  t.is(stdout, 'jugfile.ts: done: 0 tasks\n');
});

test.serial('check: while a worker runs: 1', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  t.is((await user.run('check', 'jugfile.ts')).status, 1);
  await user.write('open', '');
  worker.process.kill('SIGTERM');
  await worker.finished;
});

test.serial('check: a jugfile that is not there: 2, nothing on stdout', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const { status, stdout, stderr } = await user.run('check', 'absent.ts');
  t.is(status, 2);
  t.is(stdout, '');
  t.regex(stderr, /^error: .*absent\.ts/);
});

test.serial('count: declared tasks by function, sorted, without any server', async (t) => {
  await using user = await projectOn(server, 'stages', { NATS_URL: 'nats://127.0.0.1:1' });
  const { status, stdout, stderr } = await user.run('count', 'jugfile.ts');
  t.is(status, 0, stderr);
  t.is(
    stdout,
    [
      'function  tasks',
      'double        8',
      'plus1         8',
      'sum2         16',
      'total        32',
      '',
    ].join('\n'),
  );
  t.deepEqual(await user.json('count', '--json', 'jugfile.ts'), {
    total: 32,
    functions: { double: 8, plus1: 8, sum2: 16 },
  });
});

test.serial('count: no task: a total of 0', async (t) => {
  await using user = await projectOn(server, 'nothing', { NATS_URL: 'nats://127.0.0.1:1' });
  t.deepEqual(await user.json('count', '--json', 'jugfile.ts'), { total: 0, functions: {} });
});

const staged = `import { barrier, task, value } from 'jugq';
const double = task(function double(x: number): number { return 2 * x; });
const two = double(1);
await barrier();
export const four = double(await value(two));
`;

test.serial(
  'a jugfile that waits at a barrier: not done, and says where; done behind it',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    await user.write('staged.ts', staged);
    const { status, stdout } = await user.run('check', 'staged.ts');
    t.is(status, 1);
    t.regex(
      stdout,
      /^staged\.ts: not done: 0 of 1 task finished, 1 ready, planning waits at .*staged\.ts:4/,
    );
    const counted = await user.run('count', 'staged.ts');
    t.is(counted.status, 0);
    t.regex(counted.stdout, /^double +1$/m);
    t.regex(
      counted.stderr,
      /^note: only what is declared before .*staged\.ts:4.*, where planning waits for results$/m,
    );
    await user.run('run', 'staged.ts');
    t.is((await user.run('check', 'staged.ts')).stdout, 'staged.ts: done: 2 tasks\n');
  },
);
