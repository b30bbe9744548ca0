/** `jugq plan` as a user types it: publishes and leaves, and the workers carry on. */
import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn, readJugfile, repeated } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const runId = '[0-9A-HJKMNP-TV-Z]{26}';

test.serial('plan prints the id of the run and a table, and returns before any work', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { status, stdout, stderr } = await user.run('plan', 'jugfile.ts');
  t.is(status, 0, stderr);
  t.regex(
    stdout,
    new RegExp(
      `^run ${runId}\nfunction +tasks +there +to run\ndouble +8 +0 +8\nplus1 +8 +0 +8\nsum2 +16 +0 +16\n$`,
    ),
  );
  t.is(stderr, '');
  t.deepEqual(await executions(user), []);
});

test.serial('plan --json: its last line is the summary, with what was published', async (t) => {
  await using user = await projectOn(server, 'stages');
  const summary = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  t.like(summary, {
    ...{ kind: 'summary', tasks: 32, executed: 0, cached: 0 },
    ...{ failed: 0, blocked: 0, published: 8 },
  });
  t.regex(summary.run, new RegExp(`^${runId}$`));
});

test.serial(
  'a worker started afterwards executes each task once; plan is done again',
  async (t) => {
    await using user = await projectOn(server, 'stages');
    await user.run('plan', 'jugfile.ts');
    const worker = await user.run('worker', '--exit-when-done');
    t.is(worker.status, 0, worker.stderr);
    t.is((await executions(user)).length, 32);
    const again = await user.run('plan', 'jugfile.ts');
    t.is(again.status, 0);
    t.regex(again.stdout, /\nsum2 +16 +16 +0\nnothing to run: every result is there\n$/);
  },
);

test.serial('a worker started before takes what is planned later, of any jugfile', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.write('other.ts', await readJugfile('parameters'));
  const worker = user.start('worker');
  await worker.printed(/worker \S+: \d+ threads?, queue default/);
  const first = await user.run('plan', '--wait', 'jugfile.ts');
  t.is(first.status, 0, first.stderr);
  t.regex(first.stderr, /32 tasks: 32 executed/);
  const second = await user.run('plan', '--wait', 'other.ts');
  t.is(second.status, 0, second.stderr);
  t.regex(second.stderr, /4 tasks: 4 executed/);
  worker.process.kill('SIGTERM');
  t.is((await worker.finished).status, 0);
});

test.serial('--wait: failed tasks are named, and the exit status is 1', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  const waiting = user.start('plan', '--wait', 'jugfile.ts');
  const worker = user.start('worker');
  const { status, stderr } = await waiting.finished;
  worker.process.kill('SIGTERM');
  await worker.finished;
  t.is(status, 1, stderr);
  t.is(stderr.match(/^✗ someFail\./gm)?.length, 3);
  t.regex(stderr, /: jugq plan --wait jugfile\.ts\n/);
});

test.serial('the planner is killed after plan: the run completes all the same', async (t) => {
  await using user = await projectOn(server, 'gated');
  const worker = user.start('worker', '-j2');
  const planner = user.start('plan', '--wait', 'jugfile.ts');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  planner.process.kill('SIGKILL');
  await planner.finished;
  await user.write('open', '');
  const waited = await user.run('wait');
  t.is(waited.status, 0, waited.stderr);
  t.is(await user.json('get', 'jugfile.ts', 'total'), 10);
  t.deepEqual(repeated(await executions(user)), []);
  worker.process.kill('SIGTERM');
  await worker.finished;
});

test.serial('--dry-run says what would run and why, and publishes nothing', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const { status, stdout, stderr } = await user.run('plan', '--dry-run', 'jugfile.ts');
  t.is(status, 0, stderr);
  t.regex(
    stdout,
    /^function +tasks +there +would run +arguments +results +takes\nsquare +3 +0 +3 +\d+ B *\nsum +1 +0 +1 +\d+ B *\n/,
  );
  t.is(stdout.match(/^square\.[a-z2-7]{32}: no result yet$/gm)?.length, 3);
  t.regex(stdout, /^sum\.[a-z2-7]{32}: 3 of its dependencies will run first$/m);
  // Nobody knows yet how long anything takes.
  t.notRegex(stdout, /longest chain/);
  const status2 = await user.json<{ runs: unknown[] }>('status', '--json');
  t.deepEqual(status2.runs, []);
  const worker = await user.run('worker', '--exit-when-done');
  t.is(worker.status, 0);
  t.deepEqual(await executions(user), []);
});

test.serial(
  '--dry-run: why what was tried before would run again; nothing to run is said',
  async (t) => {
    await using user = await projectOn(server, 'keep-going', { JUGQ_PROJECT: 'again' });
    await user.run('run', 'jugfile.ts');
    const failed = await user.run('plan', '--dry-run', 'jugfile.ts');
    t.is(failed.stdout.match(/^someFail\.\w+: it failed before$/gm)?.length, 3, failed.stdout);
    t.is(failed.stdout.match(/^plus1\.\w+: 1 of its dependencies will run first$/gm)?.length, 3);
    const kept = await user.run('plan', '--dry-run', '--keep-failed', 'jugfile.ts');
    t.regex(
      kept.stdout,
      /^nothing would run: what has no result is not wanted, or failed before$/m,
    );
    await user.run('invalidate', '=plus1', '--yes');
    const gone = await user.run('plan', '--dry-run', '--keep-failed', 'jugfile.ts');
    t.is(gone.stdout.match(/^plus1\.\w+: its result was dropped or invalidated$/gm)?.length, 7);
    await user.write('none.ts', 'export const nothing = 1;');
    const none = await user.run('plan', '--dry-run', 'none.ts');
    t.is(none.stdout, 'nothing would run: no tasks are declared\n');
  },
);

test.serial('--dry-run --json of two thousand tasks: goes through a pipe whole', async (t) => {
  await using user = await projectOn(server, 'many', { JUGQ_PROJECT: 'piped' });
  await user.write(
    'jugfile.ts',
    (await readJugfile('many')).replace('length: 1024', 'length: 2048'),
  );
  // More than a pipe holds, so that the end of the process comes before the end of the text.
  const { tasks } = await user.json<{ tasks: unknown[] }>(
    ...['plan', '--dry-run', '--json', 'jugfile.ts'],
  );
  t.is(tasks.length, 2048);
});

test.serial('--dry-run --json: one document with every task and why', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const answer = await user.json<{ kind: string; tasks: { task: string; why: string }[] }>(
    ...['plan', '--dry-run', '--json', 'jugfile.ts'],
  );
  t.is(answer.kind, 'dry-run');
  t.is(answer.tasks.length, 4);
});

interface DryRun {
  readonly workMs: number;
  readonly criticalMs: number;
  readonly criticalPath: readonly { readonly function: string; readonly tasks: number }[];
  readonly unknown: readonly string[];
  readonly functions: Readonly<Record<string, { readonly run: number; readonly meanMs?: number }>>;
  readonly workers: number;
  readonly threads: number;
  readonly expectedMs: number;
}

test.serial(
  '--dry-run with durations known: the longest chain, and the time on who is there',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    await user.write(
      'slow.ts',
      `import { setTimeout as delay } from 'node:timers/promises';
     import { task } from 'jugq';
     const nap = task(async function nap(x: number, before?: number): Promise<number> {
       await delay(100);
       return x;
     });
     const last = task(function last(x: number): number { return x; });
     const count = Number(process.env['COUNT']);
     const chain = nap(1, nap(2, nap(3)));
     export const naps = Array.from({ length: count }, (_, x) => nap(10 + x));
     export const end = count > 1 ? last(chain) : chain;`,
    );
    await user.startWith({ COUNT: '1' }, 'run', 'slow.ts').finished;
    await user.run('invalidate', '=nap');
    const worker = user.startWith({ COUNT: '' }, 'worker', '-j2');
    await worker.printed(/worker \S+: 2 threads/);
    const { stdout } = await user.startWith(
      { COUNT: '9' },
      ...['plan', '--dry-run', '--json', 'slow.ts'],
    ).finished;
    // What was invalidated has no duration any more.
    t.deepEqual((JSON.parse(stdout) as DryRun).unknown, ['nap', 'last']);
    await user.startWith({ COUNT: '1' }, 'run', 'slow.ts').finished;
    const dry = await user.startWith({ COUNT: '9' }, ...['plan', '--dry-run', '--json', 'slow.ts'])
      .finished;
    const answer = JSON.parse(dry.stdout) as DryRun;
    t.deepEqual(answer.unknown, ['last']);
    t.is(answer.functions['nap']?.run, 8);
    const mean = answer.functions['nap']?.meanMs ?? 0;
    t.true(mean >= 99 && Math.abs(answer.workMs - 8 * mean) < 1);
    t.deepEqual([answer.workers, answer.threads], [1, 2]);
    t.is(answer.expectedMs, answer.workMs / 2);
    const text = await user.startWith({ COUNT: '9' }, 'run', '--dry-run', 'slow.ts').finished;
    t.regex(text.stdout, /all of it takes .* on one thread, the longest chain .*: nap\n/);
    t.regex(text.stdout, /about .* on the 2 threads of 1 worker that are there/);
    t.regex(text.stdout, /not counted, because nobody knows how long they take: last/);
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);

test.serial(
  'plan with other arguments while a run is active: it is named, and goes on',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    await user.run('plan', 'jugfile.ts', '1');
    const { stderr } = await user.run('plan', 'jugfile.ts', '2');
    t.regex(
      stderr,
      /^run \w+ of the same jugfile, with other arguments, is still active and goes on/m,
    );
  },
);

test.serial('plan, mend, plan again before any worker starts: the new code runs', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const text = await readJugfile('parameters');
  await user.run('plan', 'jugfile.ts');
  await user.write('jugfile.ts', text.replace('return x * x', 'return 100 + x'));
  const second = await user.run('plan', 'jugfile.ts');
  t.is(second.status, 0, second.stderr);
  t.regex(second.stderr, /of the same jugfile is still active and goes on: cancel it with jugq/);
  const worker = await user.run('worker', '--exit-when-done');
  t.is(worker.status, 0, worker.stderr);
  t.is(await user.json('get', 'jugfile.ts', 'total'), 303);
  t.deepEqual(repeated(await executions(user)), []);
});

test.serial(
  '--replace cancels the older run of the same jugfile; the new one completes',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    const old = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts', '6');
    const replaced = await user.run('plan', '--replace', 'jugfile.ts', '2');
    t.is(replaced.status, 0, replaced.stderr);
    t.true(replaced.stderr.includes(`run ${old.run} of the same jugfile is cancelled\n`));
    const worker = await user.run('worker', '--exit-when-done');
    t.is(worker.status, 0, worker.stderr);
    // Tasks that the new run does not need are gone from the queue.
    t.deepEqual((await executions(user)).toSorted(), ['square 0', 'square 1', 'sum']);
    const waited = await user.run('wait', old.run);
    t.is(waited.status, 1);
    t.regex(waited.stderr, new RegExp(`run ${old.run} cancelled`));
  },
);

test.serial('cancel: nothing more is started, and wait and status say so', async (t) => {
  await using user = await projectOn(server, 'gated');
  const worker = user.start('worker', '-j1');
  const planned = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  await eventually('a task to run', async () => (await executions(user)).length === 1);
  const cancelled = await user.run('cancel', planned.run.slice(0, 12));
  t.is(cancelled.status, 0, cancelled.stderr);
  t.is(cancelled.stderr, `run ${planned.run} is cancelled\n`);
  await user.write('open', '');
  worker.process.kill('SIGTERM');
  t.is((await worker.finished).status, 0);
  const later = await user.run('worker', '--exit-when-done');
  t.is(later.status, 0, later.stderr);
  t.is((await executions(user)).length, 1);
  const again = await user.run('cancel', planned.run);
  t.is(again.stderr, `run ${planned.run} is cancelled already\n`);
  t.is((await user.run('wait', planned.run)).status, 1);
});

test.serial('a plan function with two parameters: it gets one, and is told so', async (t) => {
  await using user = await projectOn(server, 'nothing');
  await user.write(
    'jugfile.ts',
    'export default function plan(first: string, second: string) {}\n',
  );
  const { status, stderr } = await user.run('plan', 'jugfile.ts');
  t.is(status, 2);
  t.regex(
    stderr,
    /declares 2 parameters, and gets one, the list of all arguments: write plan\(args/,
  );
});

test.serial('a jugfile without tasks: said so', async (t) => {
  await using user = await projectOn(server, 'nothing');
  await user.write('jugfile.ts', 'export const answer = 42;\n');
  const { status, stderr } = await user.run('run', 'jugfile.ts');
  t.is(status, 0);
  t.regex(stderr, /^nothing to run: no tasks are declared\n/);
});

test.serial('an argument with a cycle, far below the call: the line of the call', async (t) => {
  await using user = await projectOn(server, 'nothing');
  await user.write(
    'jugfile.ts',
    `import { task } from 'jugq';
const f = task(function f(x: unknown) { return x; });
const loop: Record<string, unknown> = {};
loop['self'] = { loop };
f(loop);
`,
  );
  const { status, stderr } = await user.run('plan', 'jugfile.ts');
  t.is(status, 2);
  t.regex(
    stderr,
    /a cycle cannot be hashed: argument 1\.self\.loop of[^]*at \S*jugfile\.ts:5:1\n$/,
  );
});
