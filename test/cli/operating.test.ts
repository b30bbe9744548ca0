/** What daemons offer to those who run them: hooks, a log for programs, metrics and a health check. */
import { createServer } from 'node:http';
import { once } from 'node:events';
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const hooks = `
import { appendFileSync } from 'node:fs';
import { on } from 'jugq';
const names = ['worker:started', 'worker:ended', 'task:started', 'task:finished', 'task:failed',
  'jugfile:loaded', 'run:planned', 'run:ended'] as const;
for (const name of names)
  on(name, async (event) => {
    await null;
    appendFileSync('hooks.log', JSON.stringify({ name, ...event }) + '\\n');
  });
`;

async function called(user: UserDirectory): Promise<Record<string, unknown>[]> {
  const { readFile } = await import('node:fs/promises');
  const text = await readFile(`${user.path}/hooks.log`, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

test.serial('hooks: of a plan and its worker each is called once for each event', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  await user.write('hooks.ts', hooks);
  await user.write('jugq.config.json', '{ "hooks": ["./hooks.ts"] }');
  t.is((await user.run('plan', 'jugfile.ts')).status, 0);
  const planned = await called(user);
  t.deepEqual(
    planned.map(({ name }) => name),
    ['jugfile:loaded', 'run:planned'],
  );
  t.like(planned[0], { jugfile: 'jugfile.ts', args: [], tasks: 20 });
  const worker = await user.run('worker', '--exit-when-done');
  t.is(worker.status, 0, worker.stderr);
  const all = await called(user);
  const of = (name: string): Record<string, unknown>[] =>
    all.filter((each) => each['name'] === name);
  t.deepEqual(
    [of('worker:started').length, of('worker:ended').length, of('run:ended').length],
    [1, 1, 1],
  );
  t.like(of('run:ended')[0], { state: 'failed' });
  t.is(new Set(of('task:finished').map(({ task }) => task)).size, 14);
  t.is(of('task:finished').length, 14);
  t.is(of('task:started').length, 17);
  t.like(of('task:failed')[0], { function: 'someFail', final: true });
});

test.serial('hooks: an unknown name, a module that is not there: 2, and what to do', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.write('jugq.config.json', '{ "hooks": ["./hooks.ts"] }');
  const absent = await user.run('plan', 'jugfile.ts');
  t.is(absent.status, 2);
  t.regex(absent.stderr, /the setting hooks names \S+hooks\.ts, which cannot be read/);
  await user.write('hooks.ts', `import { on } from 'jugq'; on('task:finish' as never, () => {});`);
  const unknown = await user.run('worker', '--exit-when-done');
  t.is(unknown.status, 2);
  t.regex(unknown.stderr, /there is no hook "task:finish".*did you mean task:finished\?/);
  await user.write('hooks.ts', 'on(');
  const broken = await user.run('worker', '--exit-when-done');
  t.is(broken.status, 2);
  t.regex(
    broken.stderr,
    /the hooks in \S+ cannot be loaded: a file cannot be read as code: hooks\.ts/,
  );
  await user.write('hooks.ts', `throw new Error('at once')`);
  const throwing = await user.run('worker', '--exit-when-done');
  t.regex(throwing.stderr, /cannot be loaded: Error: at once\n {4}at \S+hooks\.ts:1:\d+\n$/);
  await user.write('hooks.ts', `export function taskFinished() {}`);
  const none = await user.run('worker', '--exit-when-done');
  t.regex(
    none.stderr,
    /the hooks module \S+hooks\.ts registers nothing: call on\(name, callback\)/,
  );
});

test.serial('hooks: one that throws is told, and its task is finished all the same', async (t) => {
  await using user = await projectOn(server, 'many');
  await user.write(
    'hooks.ts',
    `import { on } from 'jugq';
     on('run:planned', () => { throw new Error('now'); });
     on('run:planned', () => Promise.reject(new Error('later')));`,
  );
  const { status, stderr } = await user.startWith({ JUGQ_HOOKS: 'hooks.ts' }, 'run', 'jugfile.ts')
    .finished;
  t.is(status, 0, stderr);
  t.regex(stderr, /a hook for run:planned failed: Error: now\n {4}at \S+hooks\.ts:2:\d+\n[^ ]/);
  t.regex(stderr, /a hook for run:planned failed: Error: later\n {4}at \S+hooks\.ts:3:\d+\n[^ ]/);
});

test.serial('hooks: one that is not done in time is told, and not waited for', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.write(
    'hooks.ts',
    `import { on } from 'jugq';
     on('run:planned', () => new Promise((resolve) => setTimeout(resolve, 60_000)));`,
  );
  const { status, stderr } = await user.startWith({ JUGQ_HOOKS: 'hooks.ts' }, 'plan', 'jugfile.ts')
    .finished;
  t.is(status, 0);
  t.regex(stderr, /1 hook is not done after 5\.0 s: not waited for any longer\n$/);
});

test.serial(
  'worker --log json: every line is a JSON object, with what its tasks print',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    await user.write(
      'noisy.ts',
      `import { task } from 'jugq';
     const loud = task(function loud(x: number): number {
       console.log('x is', x);
       if (x > 1) throw new RangeError('too much');
       return x;
     });
     export const all = [1, 2].map((x) => loud(x));`,
    );
    await user.run('plan', 'noisy.ts');
    const { status, stderr } = await user.run('worker', '--exit-when-done', '--log', 'json');
    t.is(status, 0);
    const lines = stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    t.true(lines.every(({ time, level, message }) => [time, level, message].every(Boolean)));
    t.truthy(lines.find(({ kind, message }) => kind === 'output' && message === 'x is 1'));
    const failed = lines.find(({ kind }) => kind === 'task-failed');
    t.like(failed, { level: 'warn', final: true, reason: 'too much' });
  },
);

test.serial('--log: another word is refused', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { status, stderr } = await user.run('worker', '--log', 'xml');
  t.is(status, 2);
  t.regex(stderr, /the setting log from flag --log is wrong: expected text or json, got "xml"/);
});

test.serial(
  'worker --metrics-port: tasks by state, durations, queue, connection; /health',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    await user.run('plan', 'jugfile.ts');
    const port = await freePort();
    const worker = user.start('worker', '--metrics-port', port);
    await worker.printed(`metrics: http://127.0.0.1:${port}/metrics`);
    const at = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);
    const value = async (sample: string): Promise<string | undefined> => {
      const lines = (await (await at('/metrics')).text()).split('\n');
      return lines.find((line) => line.startsWith(`${sample} `))?.slice(sample.length + 1);
    };
    await eventually(
      'all tasks to be finished or failed',
      async () => (await value('jugq_tasks{function="plus1",state="finished"}')) === '7',
    );
    t.is(await value('jugq_tasks{function="someFail",state="failed"}'), '3');
    t.is(await value('jugq_tasks{function="plus1",state="blocked"}'), '3');
    t.is(await value('jugq_worker_tasks_total{function="someFail",outcome="failed"}'), '3');
    t.is(await value('jugq_worker_task_duration_seconds_count{function="plus1"}'), '7');
    t.is(await value('jugq_queue_messages{queue="default"}'), '0');
    t.is(await value('jugq_connected'), '1');
    t.truthy(await value('process_resident_memory_bytes'));
    const health = await at('/health');
    t.is(health.status, 200);
    t.deepEqual(await health.json(), { connected: true });
    t.is((await at('/')).status, 404);
    const taken = await user.run('worker', '--metrics-port', port);
    t.is(taken.status, 2);
    t.regex(taken.stderr, /the metrics cannot be served on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
    worker.process.kill('SIGTERM');
    t.is((await worker.finished).status, 0);
  },
);

/** A port that nobody had a moment ago. */
async function freePort(): Promise<string> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  return typeof address === 'object' && address !== null ? address.port.toString() : '';
}
