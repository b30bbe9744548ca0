/** What has failed, why, and trying it again: `status --failed`, `failures` and `retry` as a user types them. */
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn, readJugfile } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Causes {
  readonly failed: number;
  readonly causes: readonly {
    readonly id: string;
    readonly name: string;
    readonly frame: string;
    readonly tasks: readonly string[];
  }[];
}

interface Failures {
  readonly failures: readonly { readonly task: string; readonly name: string }[];
}

interface Retried {
  readonly cleared: number;
  readonly runs: readonly { readonly run: string; readonly again?: string }[];
}

async function failed(): Promise<UserDirectory> {
  const user = await projectOn(server, 'causes');
  await user.run('run', 'jugfile.ts', '-j2');
  return user;
}

test.serial(
  'status --failed: grouped by class, message without particulars, and frame',
  async (t) => {
    await using user = await failed();
    const { stdout, status } = await user.run('status', '--failed');
    t.is(status, 0);
    t.regex(stdout, /^5 tasks failed, 2 causes\n\nRangeError: row \d of "table \d" is odd\n/);
    t.regex(
      stdout,
      /^ {2}at parse \(jugfile\.ts:10:9\)\n {2}3 of parse, such as parse\.[a-z2-7]{32}$/m,
    );
    t.regex(stdout, /^ {2}2 of fetchPage, such as fetchPage\./m);
    const { causes, failed: count } = await user.json<Causes>('status', '--failed', '--json');
    t.is(count, 5);
    t.deepEqual(
      causes.map(({ name, tasks }) => [name, tasks.length]),
      [
        ['RangeError', 3],
        ['TypeError', 2],
      ],
    );
  },
);

test.serial('status --failed with a jugfile: only of the tasks that it declares', async (t) => {
  await using user = await failed();
  await user.write(
    'other.ts',
    `import { task } from 'jugq';
    const boom = task(function boom(): number { throw new Error('no luck'); });
    export const x = boom();`,
  );
  await user.run('run', 'other.ts');
  const other = await user.run('status', '--failed', 'other.ts');
  t.regex(other.stdout, /^1 task failed, 1 cause\n\nError: no luck\n/);
  t.is((await user.json<Causes>('status', '--failed', '--json', 'jugfile.ts')).failed, 5);
});

test.serial('status --failed with what it has not: 2, and what it goes with', async (t) => {
  await using user = await projectOn(server, 'nothing');
  for (const [given, ...flags] of [
    ['--watch', '--watch'],
    ['--exit-code', '--exit-code'],
    ['--html, --all', '--html', 'page.html', '--all'],
    ['--run', '--run', '01', 'jugfile.ts'],
  ]) {
    const { status, stdout, stderr } = await user.run('status', '--failed', ...flags);
    t.deepEqual([status, stdout], [2, '']);
    t.true(stderr.includes(`and with --json, got ${given ?? ''} as well: leave`), stderr);
  }
});

test.serial(
  'failures of a task: function, arguments, attempts, worker, error, output',
  async (t) => {
    await using user = await failed();
    const { causes } = await user.json<Causes>('status', '--failed', '--json');
    const id = causes[0]?.tasks[0] ?? '';
    const { stdout } = await user.run('failures', id.slice(0, -20));
    t.regex(
      stdout,
      new RegExp(
        `^✗ ${id}\n {2}parse\\(1, 'table 1'\\)\n {2}RangeError: row 1 of "table 1" is odd\n {6}at parse \\(jugfile.ts:10:9\\)\n {2}1 attempt, worker \\S+, 20\\S+, run \\w+, cause \\w+\n {2}it printed:\n {4}looking at table 1\n$`,
      ),
    );
    const { failures } = await user.json<Failures>('failures', id, '--json');
    t.like(failures, [{ task: id, name: 'RangeError', arguments: [1, 'table 1'], attempts: 1 }]);
    const pages = await user.json<Failures>('failures', 'fetch', '--json');
    t.deepEqual([...new Set(pages.failures.map((each) => each.name))], ['TypeError']);
    t.is(
      (await user.json<Failures>('failures', '--cause', 'TypeError', '--json')).failures.length,
      2,
    );
    t.is(
      (await user.json<Failures>('failures', '--cause', causes[0]?.id ?? '', '--json')).failures
        .length,
      3,
    );
  },
);

test.serial('nothing has failed: says so, and nothing is tried again', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.run('run', 'jugfile.ts');
  t.regex((await user.run('status', '--failed')).stdout, /^0 tasks failed, 0 causes\n$/);
  t.is((await user.run('failures')).stderr, 'no task has failed\n');
  const retry = await user.run('retry', '--all');
  t.deepEqual([retry.status, retry.stderr], [0, 'nothing to try again: no task has failed\n']);
  const cause = await user.run('retry', '--cause', 'RangeError');
  t.regex(cause.stderr, /: no failed task has the cause RangeError: see jugq status --failed\n$/);
  const other = await user.run('failures', '=sum2');
  t.is(other.stderr, 'no failed task matches =sum2: see jugq status --failed\n');
  t.is((await user.run('retry')).status, 2);
});

test.serial(
  'retry of a run that has ended: taken up from its plan, only what was chosen',
  async (t) => {
    await using user = await failed();
    const before = (await executions(user)).length;
    await user.write('mended', '');
    const one = await user.json<Retried>('retry', '--cause', 'TypeError', '--json');
    t.is(one.cleared, 2);
    t.not(one.runs[0]?.run, one.runs[0]?.again);
    await user.run('worker', '--exit-when-done');
    t.is((await user.run('wait')).status, 1);
    t.deepEqual((await executions(user)).slice(before).sort(), ['fetchPage 7', 'fetchPage 8']);
    // The jugfile is not needed for it.
    await user.write('jugfile.ts', 'not a jugfile any more');
    const rest = await user.run('retry', '--all');
    t.regex(rest.stderr, /^3 tasks to be tried again\nrun \w+ takes up run \w+ where it ended/);
    await user.run('worker', '--exit-when-done');
    t.is((await user.run('wait')).status, 0);
    const ran = (await executions(user)).slice(before + 2);
    t.deepEqual(ran.sort(), ['parse 1', 'parse 3', 'parse 5', 'sum']);
    t.is((await user.json<Causes>('status', '--failed', '--json')).failed, 0);
  },
);

test.serial('retry while the run is active: the run goes on with it', async (t) => {
  await using user = await projectOn(server, 'causes');
  // Nobody takes these: the run stays active.
  await user.write(
    'jugfile.ts',
    `${await readJugfile('causes')}
export const never = task(function never(): number { return 1; }, { queue: 'nobody' })();`,
  );
  const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  const worker = user.start('worker', '-j2');
  await eventually('five failures', async () => {
    return (await user.json<Causes>('status', '--failed', '--json')).failed === 5;
  });
  await user.write('mended', '');
  const retried = await user.json<Retried>('retry', 'parse', 'fetchPage', '--json');
  t.deepEqual(retried, { kind: 'retried', cleared: 5, runs: [{ run }] } as unknown as Retried);
  await eventually('the sum', async () => (await executions(user)).includes('sum'));
  worker.process.kill('SIGTERM');
  await worker.finished;
  t.is((await user.json<Causes>('status', '--failed', '--json')).failed, 0);
});
