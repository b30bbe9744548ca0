/** `jugq server`, workers and planners that share it, in one directory and in several. */
import test from 'ava';
import { userDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, hasty, readJugfile, repeated } from '../kit/jugfiles.ts';

test.serial('server, worker, plan: the private server stays up between commands', async (t) => {
  await using user = await userDirectory({ 'jugfile.ts': await readJugfile('stages') }, hasty);
  const server = user.start('server');
  await server.printed(/^nats:\/\/\S+@127\.0\.0\.1:\d+$/m);
  await server.printed('commands in this directory find it by themselves');
  const early = user.start('worker', '-j1');
  await early.printed(/^worker \S+: 1 thread,/m);
  const planned = await user.run('plan', 'jugfile.ts');
  t.is(planned.status, 0, planned.stderr);
  // On a busy machine it says how far it is.
  t.is(planned.stderr.replaceAll(/^planning: \d+ tasks so far\n/gm, ''), '');
  const late = await user.run('worker', '-j1', '--exit-when-done');
  t.is(late.status, 0, late.stderr);
  t.is((await user.run('wait')).status, 0);
  t.is((await executions(user)).length, 32);
  early.process.kill('SIGTERM');
  t.is((await early.finished).status, 0);
  server.process.kill('SIGINT');
  const { status, stdout } = await server.finished;
  t.is(status, 0);
  t.regex(stdout, /^nats:\/\/\S+\n$/);
});

test.serial('results outlive the private server: another one finds them', async (t) => {
  await using user = await userDirectory({ 'jugfile.ts': await readJugfile('stages') }, hasty);
  const server = user.start('server');
  await server.printed('interrupt to end it');
  t.is((await user.run('run', 'jugfile.ts')).status, 0);
  server.process.kill('SIGTERM');
  t.is((await server.finished).status, 0);
  const again = await user.run('run', 'jugfile.ts');
  t.regex(again.stderr, /nothing to run: every result is there/);
  t.is((await executions(user)).length, 32);
});

test.serial(
  'a worker elsewhere: knows only the address and the project, not the files',
  async (t) => {
    await using user = await userDirectory({ 'jugfile.ts': await readJugfile('gated') }, hasty);
    const server = user.start('server', '--host', '127.0.0.1');
    await server.printed('interrupt to end it');
    const line =
      /^ {2}jugq (worker --project trial --server \S+)$/m.exec(server.output())?.[1] ?? '';
    t.not(line, '', server.output());
    await using elsewhere = await userDirectory({ open: '' }, hasty);
    const worker = elsewhere.start(...line.split(' '));
    const planned = await user.run('plan', '--wait', 'jugfile.ts');
    t.is(planned.status, 0, planned.stderr);
    t.is((await executions(elsewhere)).length, 5);
    t.deepEqual(await executions(user), []);
    t.is(await user.json('get', 'jugfile.ts', 'total'), 10);
    worker.process.kill('SIGTERM');
    t.is((await worker.finished).status, 0);
    server.process.kill('SIGTERM');
    await server.finished;
  },
);

test.serial(
  'the run that came first is interrupted: the other completes, nothing runs twice',
  async (t) => {
    await using user = await userDirectory({ 'jugfile.ts': await readJugfile('gated') }, hasty);
    const run = user.start('run', 'jugfile.ts', '-j4');
    await eventually('tasks to run', async () => (await executions(user)).length === 4);
    const second = user.start('run', 'jugfile.ts', '-j1');
    await second.printed(/is still active|0\/5 tasks/);
    run.process.kill('SIGINT');
    await run.printed('interrupted: finishing what runs');
    await user.write('open', '');
    t.is((await run.finished).status, 130);
    const { status, stderr } = await second.finished;
    t.is(status, 0, stderr);
    t.deepEqual(repeated(await executions(user)), []);
  },
);

test.serial('two directories with one name: a private server each, nothing shared', async (t) => {
  const files = { 'jugfile.ts': await readJugfile('parameters') };
  await using one = await userDirectory(files, hasty);
  await using two = await userDirectory(files, hasty);
  const [first, second] = await Promise.all([
    one.run('run', 'jugfile.ts'),
    two.run('run', 'jugfile.ts'),
  ]);
  t.is(first.status, 0, first.stderr);
  t.is(second.status, 0, second.stderr);
  t.is((await executions(one)).length, 4);
  t.is((await executions(two)).length, 4);
});
