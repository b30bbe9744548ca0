/** `jugq run` as a user types it, most of it with no server configured. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { Status } from '../../cli/library-types.ts';
import { userDirectory, type UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, hasty, projectOn, readJugfile, repeated } from '../kit/jugfiles.ts';
import { queuedIn } from '../kit/project.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

interface Summary {
  readonly kind: string;
  readonly run: string;
  readonly tasks: number;
  readonly executed: number;
  readonly cached: number;
  readonly failed: number;
  readonly blocked: number;
  readonly published: number;
  readonly seconds: number;
}

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

/** A directory with no server configured. */
async function alone(name: string): Promise<UserDirectory> {
  return userDirectory({ 'jugfile.ts': await readJugfile(name) }, hasty);
}

/** Lines of other code than the user's, in what was printed. */
function foreignFrames(text: string): string[] {
  return text.split('\n').filter((line) => /^\s+at .*(node:|node_modules|dist\/)/.test(line));
}

test.serial('without a server: a private one is started, and every task runs once', async (t) => {
  await using user = await alone('stages');
  const first = await user.run('run', 'jugfile.ts');
  t.is(first.status, 0, first.stderr);
  t.is(first.stdout, '');
  t.regex(first.stderr, /starting a private nats-server .* in .*\.jugq\n/);
  t.regex(first.stderr, /\n32 tasks: 32 executed, 0 were there \(\d+\.\d s\)\n$/);
  t.is((await executions(user)).length, 32);
  const values = await user.json<number[]>('get', 'jugfile.ts', 'values');
  t.deepEqual(values, [6, 10, 14, 18, 22, 26, 30, 34]);
});

test.serial('a second run of an unchanged jugfile executes nothing and says so', async (t) => {
  await using user = await projectOn(server, 'stages');
  const first = await user.json<Summary>('run', 'jugfile.ts', '--json');
  t.like(first, { kind: 'summary', tasks: 32, executed: 32, cached: 0, failed: 0, blocked: 0 });
  t.is(first.published, 32);
  t.true(first.seconds > 0);
  const second = await user.run('run', 'jugfile.ts');
  t.is(second.status, 0);
  t.is(second.stdout, '');
  t.regex(second.stderr, /nothing to run: every result is there\n32 tasks: 0 executed, 32 were/);
  const third = await user.json<Summary>('run', 'jugfile.ts', '--json');
  t.like(third, { kind: 'summary', tasks: 32, executed: 0, cached: 32, published: 0 });
  t.is((await executions(user)).length, 32);
});

test.serial('failed tasks: named with their error, their lines and the command', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  const { status, stdout, stderr } = await user.run('run', '-j2', 'jugfile.ts', '--', 'a b');
  t.is(status, 1, stderr);
  t.is(stdout, '');
  t.is(stderr.match(/^✗ someFail\.[a-z2-7]{32}$/gm)?.length, 3);
  for (const x of [2, 5, 8]) t.true(stderr.includes(`  RangeError: cannot take ${x.toString()}\n`));
  t.is(stderr.match(/^ +at someFail \(jugfile\.ts:8:11\)$/gm)?.length, 3);
  t.deepEqual(foreignFrames(stderr), []);
  t.regex(stderr, /: jugq run -j2 jugfile\.ts -- 'a b'\n/);
  t.regex(stderr, /20 tasks: 14 executed, 0 were there, 3 failed, 3 blocked behind them/);
});

test.serial('--keep-failed: what failed is left as it is, and nothing is executed', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  await user.run('run', 'jugfile.ts');
  const before = await executions(user);
  t.is(before.length, 17);
  const { status, stderr } = await user.run('run', '--keep-failed', 'jugfile.ts');
  t.is(status, 1);
  t.regex(stderr, /^nothing to run: what has no result failed before/m);
  t.regex(stderr, /: jugq run jugfile\.ts\n/);
  t.regex(stderr, /20 tasks: 0 executed, 14 were there, 3 failed, 3 blocked behind them/);
  t.deepEqual(await executions(user), before);
  t.regex((await user.run('status')).stdout, /^run \S+ {2}failed {2}/m);
});

test.serial(
  'a mended function: running again executes only what failed or was blocked',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    await user.run('run', 'jugfile.ts');
    const before = await executions(user);
    const text = await readJugfile('keep-going');
    await user.write('jugfile.ts', text.replace('x % 3 === 2', 'x < 0'));
    const summary = await user.json<Summary>('run', 'jugfile.ts', '--json');
    t.like(summary, { tasks: 20, executed: 6, cached: 14, failed: 0, blocked: 0 });
    const after = (await executions(user)).slice(before.length);
    t.deepEqual(after.toSorted(), [
      ...['plus1 2', 'plus1 5', 'plus1 8'],
      ...['someFail 2', 'someFail 5', 'someFail 8'],
    ]);
  },
);

test.serial('prints: on stderr with their task or the jugfile, never on stdout', async (t) => {
  await using user = await projectOn(server, 'noisy');
  const { stdout, stderr, status } = await user.run('run', 'jugfile.ts');
  t.is(status, 1);
  t.is(stdout, '');
  // Once, however many threads import the jugfile after the planner.
  t.is(stderr.match(/reading the jugfile/g)?.length, 1);
  t.true(stderr.includes('[jugfile] reading the jugfile\n'));
  t.regex(stderr, /^\[loud\.[a-z2-7]{8}\] step one of 1$/m);
  t.regex(stderr, /^\[loud\.[a-z2-7]{8}\] step two without an end$/m);
  t.regex(stderr, /^\[loud\.[a-z2-7]{8}\] a complaint$/m);
  const unmarked = stderr.split('\n').filter((line) => /^(reading|step|a complaint)/.test(line));
  t.deepEqual(unmarked, []);
  // From the failure record, which outlives the run.
  const later = await user.run('run', '--keep-failed', 'jugfile.ts');
  t.regex(later.stderr, / {2}it printed:\n {4}step one of 1\n {4}step two without an end/);
});

test.serial(
  'objects with their own key: it is called, what it leaves out does not count',
  async (t) => {
    await using user = await projectOn(server, 'keyed');
    const { status, stderr } = await user.run('run', 'jugfile.ts');
    t.is(status, 0, stderr);
    t.deepEqual(await user.json('get', 'jugfile.ts', 'doubled'), [8, 8, 16]);
    t.deepEqual(await user.json('get', 'jugfile.ts', 'codes'), ['USAGE']);
    t.deepEqual(await executions(user), ['double', 'double']);
    t.deepEqual((await readFile(join(user.path, 'keys.log'), 'utf8')).split('\n').slice(0, 3), [
      ...['4', '4', '8'],
    ]);
  },
);

test.serial('two runs at once in one directory: share the work, each task runs once', async (t) => {
  await using user = await alone('gated');
  const first = user.start('run', 'jugfile.ts', '-j2', '--json');
  await eventually('the first run to execute', async () => (await executions(user)).length === 2);
  const second = user.start('run', 'jugfile.ts', '-j2', '--json');
  await eventually('the second run to take the rest', async () => {
    return (await executions(user)).length === 4;
  });
  await user.write('open', '');
  const ends = await Promise.all([first.finished, second.finished]);
  t.deepEqual(
    ends.map((each) => each.status),
    [0, 0],
    first.output() + second.output(),
  );
  t.deepEqual(repeated(await executions(user)), []);
  t.is(await user.json<number>('get', 'jugfile.ts', 'total'), 10);
});

test.serial('the run that started the private server is killed: the other completes', async (t) => {
  await using user = await alone('gated');
  const first = user.start('run', 'jugfile.ts', '-j1');
  await eventually('the first run to execute', async () => (await executions(user)).length === 1);
  const second = user.start('run', 'jugfile.ts', '-j1');
  await eventually('the second run to join', async () => (await executions(user)).length === 2);
  first.process.kill('SIGKILL');
  await first.finished;
  await user.write('open', '');
  const { status, stderr } = await second.finished;
  t.is(status, 0, stderr);
  t.is(await user.json<number>('get', 'jugfile.ts', 'total'), 10);
});

test.serial('interrupted: what runs is finished and kept, the run cancelled, 130', async (t) => {
  await using user = await projectOn(server, 'gated');
  const run = user.start('run', 'jugfile.ts', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  run.process.kill('SIGINT');
  await run.printed('interrupted: finishing what runs');
  await user.write('open', '');
  const { status, stderr } = await run.finished;
  t.is(status, 130, stderr);
  const { totals, runs } = await user.json<Status>('status', '--json');
  t.is(runs[0]?.state, 'cancelled');
  t.true(totals.finished >= 2, JSON.stringify(totals));
  t.is(await queuedIn(server, user.env['JUGQ_PROJECT']), 0);
  const summary = await user.json<Summary>('run', 'jugfile.ts', '--json');
  // What ran is kept; the worker may have begun another before it heard.
  t.true(summary.cached >= 2, JSON.stringify(summary));
  t.is(summary.executed + summary.cached, 5);
  t.deepEqual(repeated(await executions(user)), []);
});

test.serial('SIGTERM, then again: ends at once with 143', async (t) => {
  await using user = await projectOn(server, 'gated');
  const run = user.start('run', 'jugfile.ts', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  run.process.kill('SIGTERM');
  await run.printed('interrupt again to end at once');
  run.process.kill('SIGTERM');
  t.is((await run.finished).status, 143);
});

test.serial('a task that kills its process: its worker starts again, the task fails', async (t) => {
  await using user = await projectOn(server, 'deadly');
  const { status, stderr } = await user.run('run', 'jugfile.ts', '-j1');
  t.is(status, 1, stderr);
  t.regex(stderr, /the worker ended \(SIGKILL\); starting it again/);
  t.regex(stderr, /✗ die\.[a-z2-7]{32}\n.*its process died each time it was run/);
  t.regex(stderr, /5 tasks: 4 executed, 0 were there, 1 failed/);
  t.deepEqual(await user.json('get', 'jugfile.ts', 'lives'), [0, 1, 2, 3]);
});

test.serial('arguments: positionals and all after -- reach the plan function', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const { status, stderr } = await user.run('run', 'jugfile.ts', '2', '--', '--arg', '--x=1', '-h');
  t.is(status, 0, stderr);
  // Without arguments of its own, `get` takes those of the newest run.
  t.deepEqual(await user.json('get', 'jugfile.ts', 'args'), ['2', '--arg', '--x=1', '-h']);
  t.is(await user.json('get', 'jugfile.ts', 'total'), 1);
});

test.serial('a changed parameter: only the affected tasks run', async (t) => {
  await using user = await projectOn(server, 'parameters');
  t.like(await user.json('run', 'jugfile.ts', '3', '--json'), { executed: 4, cached: 0 });
  const before = await executions(user);
  t.like(await user.json('run', 'jugfile.ts', '5', '--json'), { executed: 3, cached: 3 });
  t.deepEqual((await executions(user)).slice(before.length).toSorted(), [
    ...['square 3', 'square 4', 'sum'],
  ]);
  t.is(await user.json('get', 'jugfile.ts', 'total'), 30);
});

test.serial(
  'values: every kind reaches the next task as it is, and side effects happen',
  async (t) => {
    await using user = await projectOn(server, 'values');
    const { status, stderr } = await user.run('run', 'jugfile.ts');
    t.is(status, 0, stderr);
    t.deepEqual(await user.json('get', 'jugfile.ts', 'nested'), {
      ...{ one: 0, two: 2, three: { 0: 2, 1: 4 } },
    });
    t.is(await user.json('get', 'jugfile.ts', 'nulled'), 'null');
    t.is(await user.json('get', 'jugfile.ts', 'undefinedd'), 'undefined');
    t.is(await readFile(join(user.path, 'test-result.txt'), 'utf8'), 'Result is 16');
    const again = await user.run('run', 'jugfile.ts');
    t.regex(again.stderr, /nothing to run/);
    const lines = await executions(user);
    // Nothing is something: a task that returned null or undefined is finished.
    t.is(lines.filter((line) => line.startsWith('nothing')).length, 2);
    // Equal calls are one task: 0, 1, 2, 4, 8.
    t.is(lines.filter((line) => line === 'double').length, 5);
  },
);

test.serial(
  'a task that ends its thread, among hundreds of quick ones: it fails, nobody else',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    await user.write(
      'ending.ts',
      `import { task } from 'jugq';
      const f = task(function f(n: number): number {
        if (n === 150) (process as unknown as { reallyExit(status: number): void }).reallyExit(3);
        return n;
      });
      for (let n = 0; n < 300; n++) f(n);`,
    );
    const { status, stdout, stderr } = await user.run('run', 'ending.ts', '-j', '1', '--json');
    t.is(status, 1, stderr);
    const summary = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Summary;
    t.like(summary, { tasks: 300, executed: 299, failed: 1, blocked: 0 });
    t.regex(stderr, /ended its process with process\.exit\(3\)/);
  },
);
