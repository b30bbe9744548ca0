/** `jugq status` says why nothing moves, and what to do about it. */
import test from 'ava';
import { hostname } from 'node:os';
import { statusOf } from '../faults/looks.ts';
import { openProjectOf } from '../faults/open-project.ts';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

function noted(user: UserDirectory, reason: RegExp): Promise<true> {
  return eventually(`the note ${String(reason)}`, async () => {
    const { notes } = await statusOf(user);
    return notes.some((each) => reason.test(each)) || undefined;
  });
}

test.serial('whoever dispatches is silent: its process, its host and since when', async (t) => {
  await using user = await projectOn(server, 'gated');
  const planned = user.start('plan', '--wait', 'jugfile.ts');
  await using project = await openProjectOf(user, server);
  await eventually('it to dispatch', async () => (await project.queue.list()).length > 0);
  planned.process.kill('SIGSTOP');
  const holder = `process ${planned.pid} on ${hostname()}`;
  t.true(
    await noted(
      user,
      new RegExp(`lease is held by ${holder}, which has been silent for .* takes it over$`),
    ),
  );
  planned.process.kill('SIGKILL');
  await planned.finished;
});

test.serial('nobody takes the queue: which one, and how to start a worker for it', async (t) => {
  await using user = await projectOn(server, 'queues');
  user.start('worker', '-j1');
  await user.run('plan', 'jugfile.ts');
  t.true(await noted(user, /^no worker takes the queue \w+: start one with jugq worker --queue/));
});

test.serial('tasks failed and others are blocked: how many, and what to do', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  await user.run('run', 'jugfile.ts');
  const { notes } = await statusOf(user);
  t.deepEqual(notes, [
    '3 tasks failed for good, and 3 more are blocked behind them: see jugq status --failed, mend the cause, then jugq retry --all',
  ]);
});

test.serial('the results are full: which stream, how much, and what to do', async (t) => {
  await using user = await projectOn(server, 'gated');
  await using project = await openProjectOf(user, server);
  await user.write('open', '');
  await user.run('plan', 'jugfile.ts');
  const stream = `KV_${project.names.results}`;
  const { config } = await project.manager.streams.info(stream);
  await project.manager.streams.update(stream, { ...config, max_bytes: 500 });
  user.start('worker', '-j1');
  t.true(await noted(user, /is full \(\d+ of 500 bytes\): raise its max_bytes, or free space/));
});
