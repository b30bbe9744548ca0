/** What tasks know of themselves, and how they are told to end. */
import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { executions, hasty } from '../kit/jugfiles.ts';
import { userDirectory, type UserDirectory } from '../kit/cli.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;
let projects = 0;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const waits = `
  import { appendFileSync } from 'node:fs';
  import { once } from 'node:events';
  import { setInterval } from 'node:timers/promises';
  import { context, task } from 'jugq';
  const say = (text: string): void => appendFileSync('ran.log', text + '\\n');
`;

function userWith(jugfile: string): Promise<UserDirectory> {
  return userDirectory(
    { 'jugfile.ts': waits + jugfile },
    { ...hasty, NATS_URL: server.url, JUGQ_PROJECT: `c${(++projects).toString()}` },
  );
}

test('context: id and attempt; what a task logs is marked with it', async (t) => {
  await using user = await userWith(`
    const tell = task(function tell(): string {
      const { id, attempt, log } = context();
      log('here', attempt);
      if (attempt < 2) throw new Error('again');
      return id;
    }, { retries: 1 });
    export const told = tell();
  `);
  const { status, stderr } = await user.run('run', 'jugfile.ts');
  t.is(status, 0, stderr);
  t.regex(stderr, /\[tell\.[a-z2-7]{8}\] here 1\n/);
  t.regex(stderr, /\[tell\.[a-z2-7]{8}\] here 2\n/);
  const got = await user.run('get', 'jugfile.ts', 'told');
  t.regex(got.stdout, /^"tell\.[a-z2-7]{32}"\n$/);
});

test('signal: a task that passes its timeout may tidy up, and has failed all the same', async (t) => {
  await using user = await userWith(`
    const wait = task(async function wait(): Promise<string> {
      const { signal } = context();
      for await (const _ of setInterval(20)) if (signal.aborted) break;
      say('tidied: ' + String(signal.reason));
      return 'too late';
    }, { timeout: '3s' });
    export const waited = wait();
  `);
  const { status, stderr } = await user.run('run', 'jugfile.ts');
  t.is(status, 1);
  t.regex(stderr, /longer than its timeout of 3000 ms/);
  t.regex((await executions(user)).join('\n'), /^tidied: .*longer than its timeout/);
});

test('signal: cancelled, a task that listens tidies up before its thread ends', async (t) => {
  await using user = await userWith(`
    const wait = task(async function wait(): Promise<void> {
      const { signal } = context();
      say('began');
      await once(signal, 'abort');
      say('tidied');
    });
    export const waited = wait();
  `);
  const worker = user.start('worker');
  await user.run('plan', 'jugfile.ts');
  await eventually('the task', async () => (await executions(user)).includes('began'));
  await user.run('cancel');
  await eventually('its end', async () => (await executions(user)).includes('tidied'));
  worker.process.kill('SIGTERM');
  t.is((await worker.finished).status, 0);
});

test('progress: status shows how far a running task says that it is', async (t) => {
  await using user = await userWith(`
    const step = task(async function step(): Promise<void> {
      const { progress, signal } = context();
      progress(0.25, 'first quarter');
      await once(signal, 'abort');
    });
    export const stepped = step();
  `);
  const worker = user.start('worker');
  await user.run('plan', 'jugfile.ts');
  await eventually('its progress', async () =>
    /step\.[a-z2-7]{32} {2}25 % {2}first quarter/.test((await user.run('status')).stdout),
  );
  worker.process.kill('SIGINT');
  worker.process.kill('SIGTERM');
  await worker.finished;
  t.pass();
});

test('context outside of a task: an error that says where it belongs', async (t) => {
  await using user = await userWith('context();');
  const { status, stderr } = await user.run('plan', 'jugfile.ts');
  t.is(status, 2);
  t.regex(stderr, /context\(\) was called outside of a running task/);
});
