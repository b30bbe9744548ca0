/** `jugq worker` as a user types it: many at once, their limits, and how they end. */
import test from 'ava';
import { openProjectOf } from '../faults/open-project.ts';
import { planningMsMax } from '../../cli/runs.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn, repeated } from '../kit/jugfiles.ts';
import { putPlanning } from '../kit/planning-record.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

/** Longer than any test: what depends on it does not come. */
const patient = { JUGQ_ACK_WAIT: '10m' };

test.serial('three workers: 1,024 independent tasks are executed once each', async (t) => {
  await using user = await projectOn(server, 'many');
  await user.run('plan', 'jugfile.ts');
  const workers = [1, 2, 3].map(() => user.start('worker', '-j1', '--exit-when-done'));
  const ends = await Promise.all(workers.map((each) => each.finished));
  t.deepEqual(
    ends.map((each) => each.status),
    [0, 0, 0],
    ends.map((each) => each.stderr).join('\n'),
  );
  const ran = await executions(user);
  t.is(ran.length, 1024);
  t.deepEqual(repeated(ran), []);
  const all = await user.json<number[]>('get', 'jugfile.ts', 'all');
  t.deepEqual(
    all,
    all.map((_, at) => at),
  );
});

test.serial(
  'chains declared in a mixed order: each link runs after the one before it',
  async (t) => {
    await using user = await projectOn(server, 'shuffled');
    await user.run('plan', 'jugfile.ts');
    const workers = [1, 2].map(() => user.start('worker', '-j2', '--exit-when-done'));
    await Promise.all(workers.map((each) => each.finished));
    t.deepEqual(await user.json('get', 'jugfile.ts', 'ends'), Array<number>(32).fill(8));
    const ran = (await executions(user)).map((line) => line.split(' ').map(Number));
    t.is(ran.length, 256);
    for (let chain = 0; chain < 32; chain++) {
      const order = ran.filter((each) => each[0] === chain).map((each) => each[1]);
      t.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
  },
);

test.serial('--exit-when-done without an active run: ends at once with 0', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { status, stdout, stderr } = await user.run('worker', '--exit-when-done');
  t.is(status, 0);
  t.is(stdout, '');
  t.regex(stderr, /^worker \S+: \d+ threads?, queue default, project p\d+, 127\.0\.0\.1:\d+\n/);
  t.regex(stderr, /\nworker \S+: 0 tasks, nothing is left to do\n$/);
});

test.serial('--exit-when-done: a planner dies: its run is waited for no longer', async (t) => {
  await using user = await projectOn(server, 'stages');
  await using project = await openProjectOf(user, server);
  await putPlanning(project, { agoMs: planningMsMax - 4000 });
  const { status, stderr } = await user.run(
    ...['worker', '--exit-when-done', '--max-time', '30s', '-j1'],
  );
  t.is(status, 0, stderr);
  t.regex(stderr, /\nworker \S+: 0 tasks, nothing is left to do\n$/);
});

test.serial('--max-tasks 2: two tasks are executed, and the worker ends with 0', async (t) => {
  await using user = await projectOn(server, 'many');
  await user.run('plan', 'jugfile.ts');
  const { status, stderr } = await user.run('worker', '--max-tasks', '2');
  t.is(status, 0, stderr);
  t.regex(stderr, /: 2 tasks, its limit is reached\n$/);
  t.is((await executions(user)).length, 2);
});

test.serial('--max-time: takes no more when it is up, and finishes what runs', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j1', '--max-time', '2s');
  await eventually('a task to run', async () => (await executions(user)).length === 1);
  await worker.printed('its limit is reached: finishing what runs');
  await user.write('open', '');
  const { status, stderr } = await worker.finished;
  t.is(status, 0, stderr);
  t.regex(stderr, /: 1 task, its limit is reached\n$/);
  t.is((await executions(user)).length, 1);
});

test.serial(
  'a stop file that is there: nothing is taken; one that comes: no more is',
  async (t) => {
    await using user = await projectOn(server, 'gated', patient);
    await user.run('plan', 'jugfile.ts');
    await user.write('stop', '');
    const first = await user.run('worker', '-j1', '--stop-file', 'stop');
    t.is(first.status, 0, first.stderr);
    t.regex(first.stderr, /the stop file .*stop is there/);
    t.deepEqual(await executions(user), []);
    const second = user.start('worker', '-j1', '--stop-file', 'halt');
    await eventually('a task to run', async () => (await executions(user)).length === 1);
    await user.write('halt', '');
    await second.printed('its limit is reached: finishing what runs');
    await user.write('open', '');
    const { status, stderr } = await second.finished;
    t.is(status, 0, stderr);
    t.regex(stderr, /: 1 task, its limit is reached\n$/);
  },
);

test.serial('SIGTERM in the middle of a task: it is finished, exit status 0', async (t) => {
  await using user = await projectOn(server, 'gated', patient);
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j1');
  await eventually('a task to run', async () => (await executions(user)).length === 1);
  worker.process.kill('SIGTERM');
  await worker.printed('finishing what runs; interrupt again to end at once');
  await user.write('open', '');
  const { status, stderr } = await worker.finished;
  t.is(status, 0, stderr);
  t.regex(stderr, /: 1 task, interrupted\n$/);
  // What it had taken beside is free for others at once: nothing here would come back by itself.
  const other = await user.run('worker', '-j2', '--exit-when-done');
  t.is(other.status, 0, other.stderr);
  t.deepEqual(repeated(await executions(user)), []);
  t.is(await user.json('get', 'jugfile.ts', 'total'), 10);
});

test.serial(
  'a second signal: the worker ends at once, and its task is ready for others',
  async (t) => {
    await using user = await projectOn(server, 'gated', patient);
    await user.run('plan', 'jugfile.ts');
    const worker = user.start('worker', '-j1');
    await eventually('a task to run', async () => (await executions(user)).length === 1);
    worker.process.kill('SIGINT');
    await worker.printed('interrupt again to end at once');
    worker.process.kill('SIGINT');
    t.is((await worker.finished).status, 0);
    await user.write('open', '');
    const other = await user.run('worker', '-j2', '--exit-when-done');
    t.is(other.status, 0, other.stderr);
    // The aborted task is the one that began twice.
    t.is((await executions(user)).length, 6);
    t.is(await user.json('get', 'jugfile.ts', 'total'), 10);
  },
);

test.serial('a worker is killed in the middle: the other completes all by itself', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const [doomed, other] = [user.start('worker', '-j2'), user.start('worker', '-j2')];
  await eventually('both to run tasks', async () => (await executions(user)).length === 4);
  doomed.process.kill('SIGKILL');
  await doomed.finished;
  await user.write('open', '');
  const waited = await user.run('wait');
  t.is(waited.status, 0, waited.stderr);
  t.is(await user.json('get', 'jugfile.ts', 'total'), 10);
  other.process.kill('SIGTERM');
  t.is((await other.finished).status, 0);
});

test.serial(
  '--queue: a worker takes its queues only; status names the queue that waits',
  async (t) => {
    await using user = await projectOn(server, 'queues');
    await user.run('plan', 'jugfile.ts');
    const worker = user.start('worker');
    await eventually('the queue gpu to be named', async () => {
      const { notes } = await user.json<{ notes: string[] }>('status', '--json');
      return notes.includes(
        'no worker takes the queue gpu: start one with jugq worker --queue gpu',
      );
    });
    t.deepEqual(await executions(user), ['common']);
    const special = await user.run('worker', '--queue', 'gpu', '--exit-when-done');
    t.is(special.status, 0, special.stderr);
    t.deepEqual(await executions(user), ['common', 'special']);
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);
