/** `jugq wait` as a user types it. */
import test from 'ava';
import { planningMsMax } from '../../cli/runs.ts';
import { eventually } from '../kit/eventually.ts';
import { openProjectOf } from '../faults/open-project.ts';
import { putPlanning } from '../kit/planning-record.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

test.serial('a run that is over: answers at once, 0 if it finished', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { run } = await user.json<{ run: string }>('run', '--json', 'jugfile.ts');
  const { status, stdout, stderr } = await user.run('wait');
  t.is(status, 0);
  t.is(stdout, '');
  t.regex(stderr, new RegExp(`^run ${run} finished: 32 tasks: 32 executed, 0 were there`));
  t.notRegex(stderr, /\(0\.0 s\)/, 'it tells how long the wait was, not the run');
});

test.serial('started before any worker: ends when the run does', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  const waiting = user.start('wait', run.slice(0, 14), '--json');
  await waiting.printed('"kind":"progress"');
  await user.run('worker', '--exit-when-done');
  const { status, stdout } = await waiting.finished;
  t.is(status, 0);
  const lines = stdout.trimEnd().split('\n');
  t.deepEqual(Object.keys(JSON.parse(lines[0] ?? '') as object), ['kind', 'functions']);
  t.like(JSON.parse(lines.at(-1) ?? ''), { kind: 'summary', run, tasks: 32, executed: 32 });
});

test.serial(
  'a run with failed tasks: 1, with the tasks and the command that retries',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    await user.run('plan', 'jugfile.ts', '--', '--deep');
    await user.run('worker', '--exit-when-done');
    const { status, stderr } = await user.run('wait');
    t.is(status, 1, stderr);
    t.is(stderr.match(/^✗ someFail\./gm)?.length, 3);
    t.regex(stderr, /: jugq plan jugfile\.ts -- --deep\n/);
    t.regex(stderr, /\nrun \S+ failed: 20 tasks: 14 executed.*3 failed, 3 blocked behind them/);
  },
);

test.serial('--timeout: 1 when the time is up, and the run goes on', async (t) => {
  await using user = await projectOn(server, 'gated');
  const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  const { status, stdout, stderr } = await user.run('wait', '--timeout', '1s');
  t.is(status, 1);
  t.is(stdout, '');
  t.true(stderr.includes(`error: run ${run} is not done in time: it goes on: wait again with`));
  await user.write('open', '');
  await user.run('worker', '--exit-when-done');
  t.is((await user.run('wait')).status, 0);
});

test.serial('interrupted: 130 or 143, and the run goes on', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j4', '--exit-when-done');
  await eventually('tasks to run', async () => (await executions(user)).length === 4);
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const waiting = user.start('wait', '--json');
    await waiting.printed('"kind":"progress"');
    waiting.process.kill(signal);
    const ended = await waiting.finished;
    t.is(ended.status, status);
    t.regex(ended.stderr, /was interrupted: it goes on while workers live\n$/);
  }
  await user.write('open', '');
  t.is((await worker.finished).status, 0);
  t.is((await user.run('wait')).status, 0);
});

test.serial('a planner died, and an older run is finished: the wait is for that one', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { run } = await user.json<{ run: string }>('run', '--json', 'jugfile.ts');
  await using project = await openProjectOf(user, server);
  await putPlanning(project, { agoMs: 11 * 60_000 });
  const { status, stderr } = await user.run('wait', '--timeout', '10s');
  t.is(status, 0, stderr);
  t.regex(stderr, new RegExp(`^run ${run} finished`));
  const shown = await user.json<{ runs: { id: string }[] }>('status', '--json');
  t.deepEqual(
    shown.runs.map(({ id }) => id),
    [run],
  );
});

test.serial('a planner died, and there is no other run: what happened, what to do', async (t) => {
  await using user = await projectOn(server, 'stages');
  await using project = await openProjectOf(user, server);
  const id = await putPlanning(project, { agoMs: planningMsMax - 2000 });
  const { stderr } = await user.run('wait', '--timeout', '30s');
  t.regex(
    stderr,
    new RegExp(
      `error: run ${id} has no plan: process 1 on elsewhere ended while it planned new\\.ts: plan it again: jugq plan new\\.ts -- 7\n$`,
    ),
  );
});

test.serial('--json: a function called kind does not hide what a line is', async (t) => {
  await using user = await projectOn(server, 'nothing');
  await user.write('odd.ts', `import { task } from 'jugq'; task('kind', (x: number) => x)(1);`);
  for (const args of [['run', 'odd.ts'], ['wait']]) {
    const { stdout } = await user.run(...args, '--json');
    const lines = stdout.trimEnd().split('\n');
    const [first] = lines.map((line) => JSON.parse(line) as unknown);
    t.like(first, { kind: 'progress', functions: { kind: { running: 0 } } }, args.join(' '));
  }
});
