/** What people do to a run while its tasks run: it ends as if one thing had been done after the other. */
import test from 'ava';
import type { TaskId } from '../../core/identifiers.ts';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { failureRecords, statusOf } from './looks.ts';
import { openProjectOf, type OpenedProject } from './open-project.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

/** One reads a file of the outer world, the next takes a while and waits for the gate, the last adds to it. */
const reading = `
  import { appendFileSync, existsSync, readFileSync } from 'node:fs';
  import { setTimeout as delay } from 'node:timers/promises';
  import { task } from 'jugq';
  const read = task(function read(): number {
    appendFileSync('ran.log', 'read\\n');
    return Number(readFileSync('world', 'utf8'));
  });
  const gated = task(async function gated(x: number): Promise<number> {
    appendFileSync('ran.log', 'gated ' + x + '\\n');
    while (!existsSync('open')) await delay(20);
    return x * 10;
  });
  const last = task(function last(x: number): number {
    appendFileSync('ran.log', 'last ' + x + '\\n');
    return x + 1;
  });
  export const end = last(gated(read()));`;

async function readingUser(): Promise<UserDirectory> {
  const user = await projectOn(server, 'stages');
  await user.write('jugfile.ts', reading);
  await user.write('world', '1');
  return user;
}

/** Ids of the tasks, the inputs before those that take them. */
async function idsOf(user: UserDirectory): Promise<TaskId[]> {
  const { tasks } = await user.json<{ tasks: { task: TaskId }[] }>(
    ...['plan', '--dry-run', '--json', 'jugfile.ts'],
  );
  return tasks.map((each) => each.task);
}

/** A marker on each, whatever is there. */
async function invalidate(project: OpenedProject, ids: readonly TaskId[]): Promise<void> {
  for (const id of ids) {
    const entry = await project.results.readFromLeader(id);
    const outcome = await project.results.mark(id, entry?.revision ?? 0);
    if (outcome.kind !== 'stored') throw new Error(`${id} could not be marked`);
  }
}

async function untilRunning(user: UserDirectory, line: string): Promise<void> {
  await eventually(`"${line}"`, async () => (await executions(user)).includes(line));
}

test.serial(
  'invalidated while a dependent runs: what it makes of the old world is refused, the new one counts',
  async (t) => {
    await using user = await readingUser();
    await using project = await openProjectOf(user, server);
    const ids = await idsOf(user);
    const run = user.start('plan', '--wait', 'jugfile.ts');
    user.start('worker', '-j2');
    await untilRunning(user, 'gated 1');
    await user.write('world', '2');
    await invalidate(project, ids);
    await untilRunning(user, 'gated 2');
    await user.write('open', '');
    t.is((await run.finished).status, 0);
    t.is((await user.run('get', 'jugfile.ts', 'end')).stdout.trim(), '21');
    t.deepEqual(
      (await executions(user)).filter((each) => each.startsWith('last')),
      ['last 20'],
    );
  },
);

test.serial(
  'a result deleted by hand while its dependent runs: it is made again, the run ends well',
  async (t) => {
    await using user = await readingUser();
    await using project = await openProjectOf(user, server);
    const [read = ''] = await idsOf(user);
    const run = user.start('plan', '--wait', 'jugfile.ts');
    user.start('worker', '-j2');
    await untilRunning(user, 'gated 1');
    const kv = await project.connection.jetstream().views.kv(project.names.results);
    await kv.delete(read);
    await eventually('it to be read again', async () => {
      const ran = await executions(user);
      return ran.filter((each) => each === 'read').length === 2;
    });
    await user.write('open', '');
    t.is((await run.finished).status, 0);
    t.is((await user.run('get', 'jugfile.ts', 'end')).stdout.trim(), '11');
  },
);

test.serial(
  'cancelled while a task runs: it ends cancelled, the result is kept, planning again goes on from there',
  async (t) => {
    await using user = await readingUser();
    await using project = await openProjectOf(user, server);
    const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
    user.start('worker', '-j2');
    await untilRunning(user, 'gated 1');
    await user.run('cancel', run);
    await user.write('open', '');
    await eventually(
      'the queue to be empty',
      async () => (await project.queue.list()).length === 0,
    );
    t.is((await statusOf(user)).runs[0]?.state, 'cancelled');
    t.false((await executions(user)).some((each) => each.startsWith('last')));
    t.is((await user.run('plan', '--wait', 'jugfile.ts')).status, 0);
    t.is((await user.run('get', 'jugfile.ts', 'end')).stdout.trim(), '11');
    t.is((await executions(user)).filter((each) => each === 'read').length, 1);
  },
);

test.serial(
  'planned again with mended code while the old code runs: each task has one result, and both runs end',
  async (t) => {
    await using user = await readingUser();
    const first = user.start('plan', '--wait', 'jugfile.ts');
    user.start('worker', '-j1');
    await untilRunning(user, 'gated 1');
    await user.write('jugfile.ts', reading.replace('return x + 1', 'return x + 2'));
    // It returns when whoever dispatches has begun with it.
    t.is((await user.run('plan', 'jugfile.ts')).status, 0);
    await user.write('open', '');
    t.is((await first.finished).status, 0);
    t.is((await user.run('wait')).status, 0);
    // What had not begun runs with the code of the newest plan.
    t.is((await user.run('get', 'jugfile.ts', 'end')).stdout.trim(), '12');
    // The old code's execution counts if it comes first; one of the new code may have been taken by then.
    const gated = (await executions(user)).filter((each) => each.startsWith('gated'));
    t.true(gated.length <= 2, gated.join());
  },
);

test.serial(
  'planned again while a task waits for its retry: it is tried at once, and a late failure changes nothing',
  async (t) => {
    await using user = await projectOn(server, 'stages');
    await user.write(
      'jugfile.ts',
      `import { appendFileSync, existsSync } from 'node:fs';
       import { task } from 'jugq';
       export const end = task(function needs(): string {
         appendFileSync('ran.log', 'needs\\n');
         if (!existsSync('open')) throw new Error('not yet');
         return 'there';
       }, { retries: 20 })();`,
    );
    const first = user.start('plan', '--wait', 'jugfile.ts');
    user.start('worker', '-j1');
    await eventually('three attempts', async () => (await executions(user)).length === 3);
    await user.write('open', '');
    t.is((await user.run('plan', '--wait', 'jugfile.ts')).status, 0);
    t.is((await first.finished).status, 0);
    t.is((await user.run('get', 'jugfile.ts', 'end')).stdout.trim(), '"there"');
    await eventually(
      'no record to be left',
      async () => Object.keys(await failureRecords(user, server)).length === 0,
    );
  },
);
