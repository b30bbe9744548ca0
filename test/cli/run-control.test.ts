/** Runs that do less than everything: targets, fail fast, cancel, pause and resume, as a user types them. */
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn, readJugfile } from '../kit/jugfiles.ts';
import { queuedIn } from '../kit/project.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Status {
  readonly notes: readonly string[];
  readonly totals: Record<string, number>;
  readonly runs: readonly { readonly id: string; readonly state: string }[];
}

/** How often each function was executed. */
async function executed(user: UserDirectory): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const line of await executions(user)) counts[line] = (counts[line] ?? 0) + 1;
  return counts;
}

test.serial('--target =double of a chain of stages: 8 results, the others untouched', async (t) => {
  await using user = await projectOn(server, 'stages');
  const summary = await user.json('run', 'jugfile.ts', '--target', '=double', '--json');
  t.like(summary, { state: 'finished', tasks: 8, executed: 8, cached: 0 });
  t.deepEqual(await executed(user), { double: 8 });
  const whole = await user.json('run', 'jugfile.ts', '--json');
  t.like(whole, { tasks: 32, executed: 24, cached: 8 });
});

test.serial('--target: a bare word and a regular expression choose the same tasks', async (t) => {
  for (const target of ['sum_', '/sum_[23]$/']) {
    await using user = await projectOn(server, 'forms');
    const summary = await user.json('run', 'jugfile.ts', '--target', target, '--json');
    t.like(summary, { tasks: 16, executed: 16 });
    t.deepEqual(await executed(user), { sum_2: 8, sum_3: 8 });
  }
});

test.serial('--target with unmet dependencies: what it needs runs too, nothing else', async (t) => {
  await using user = await projectOn(server, 'stages');
  t.like(await user.json('run', 'jugfile.ts', '--target', 'plus1', '--json'), { executed: 16 });
  t.deepEqual(await executed(user), { double: 8, plus1: 8 });
});

test.serial('--target that matches nothing, or cannot be read: 2, and what there is', async (t) => {
  await using user = await projectOn(server, 'stages');
  const none = await user.run('plan', 'jugfile.ts', '--target', 'treble');
  t.is(none.status, 2);
  t.regex(none.stderr, /no task of jugfile\.ts matches --target treble: .* double, plus1, sum2\n/);
  const broken = await user.run('plan', 'jugfile.ts', '--target', '/(/');
  t.is(broken.status, 2);
  t.regex(broken.stderr, /^error: cannot read the pattern "\/\(\/": .*=name, \/regex\//);
});

test.serial('plan --dry-run --target: what would run, and nothing is published', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { stdout } = await user.run('plan', '--dry-run', 'jugfile.ts', '--target', '=plus1');
  t.regex(stdout, /^plus1 +8 +0 +8 +\d+ B$/m);
  t.regex(stdout, /^sum2 +16 +0 +0$/m);
});

test.serial(
  '--fail-fast with one thread: stops at the first failure, the rest not run, 1',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    const { status, stderr } = await user.run('run', 'jugfile.ts', '--fail-fast', '-j1');
    t.is(status, 1, stderr);
    t.is(stderr.match(/^✗ /gm)?.length, 1);
    t.regex(stderr, /20 tasks: \d executed, 0 were there, 1 failed, .*\d+ not run/);
    const lines = await executions(user);
    t.is(lines.filter((line) => /someFail [258]/.test(line)).length, 1);
    t.true(lines.length <= 5, lines.join());
    const after = await user.json<Status>('status', '--json');
    t.like(after.totals, { failed: 1, ready: 0, waiting: 0 });
    // What stayed would be taken for something that killed its worker.
    t.is(await queuedIn(server, user.env['JUGQ_PROJECT']), 0);
    t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 15 - lines.length });
  },
);

test.serial(
  'cancel: a task that runs is ended, and what its worker runs next is not',
  async (t) => {
    await using user = await projectOn(server, 'gated');
    const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
    const worker = user.start('worker', '-j2');
    await eventually('two tasks to run', async () => (await executions(user)).length === 2);
    t.deepEqual(await user.json('cancel', '--json'), { run, state: 'cancelled' });
    await eventually('the worker to be idle', async () => {
      const { totals } = await user.json<Status>('status', '--json');
      return totals['running'] === 0;
    });
    worker.process.kill('SIGTERM');
    // The gate is shut: what still ran would keep the worker.
    t.is((await worker.finished).status, 0);
    t.is((await executions(user)).length, 2);
    t.regex((await user.run('cancel')).stderr, /^run \S+ is cancelled already\n$/);
  },
);

test.serial(
  'cancel PATTERN: what runs of it is ended, its dependents go, the rest runs',
  async (t) => {
    await using user = await projectOn(server, 'gated');
    await user.write(
      'both.ts',
      (await readJugfile('gated')) +
        `const other = task(function other(x: number): number { return x; });
       const last = task(function last(x: number): number { return x; });
       export const rest = last(other(1));`,
    );
    const { run } = await user.json<{ run: string }>('plan', '--json', 'both.ts');
    const worker = user.start('worker', '-j2');
    await eventually('two tasks to run', async () => (await executions(user)).length === 2);
    const nothing = await user.run('cancel', 'treble');
    t.is(nothing.status, 2);
    t.regex(nothing.stderr, /no run and no task of run \S+ matches treble/);
    const cancelled = await user.json('cancel', '--json', '/^gated/');
    t.like(cancelled, { kind: 'cancelled', tasks: 5, functions: { gated: 4, sum: 1 } });
    // The gate is shut: only if what ran was ended, is there a thread for the rest.
    const waited = await user.run('wait', run);
    t.is(waited.status, 1, waited.stderr);
    t.regex(waited.stderr, /7 tasks: 2 executed, 0 were there, 5 cancelled/);
    t.is(await user.json<number>('get', 'both.ts', 'rest'), 1);
    const { stdout } = await user.run('status');
    t.regex(stdout, /cancelled in run \S+: 4 gated, 1 sum: plan again/);
    await user.write('open', '');
    await user.run('plan', 'both.ts');
    t.is((await user.run('wait')).status, 0);
    t.is(await user.json<number>('get', 'both.ts', 'total'), 10);
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);

test.serial('cancel: what another active run needs goes on', async (t) => {
  await using user = await projectOn(server, 'gated');
  const first = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  await user.write('other.ts', await readJugfile('gated'));
  const worker = user.start('worker', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  await user.run('plan', 'other.ts');
  await user.run('cancel');
  await user.write('open', '');
  t.is((await user.run('wait', first.run)).status, 0);
  t.is(await user.json<number>('get', 'jugfile.ts', 'total'), 10);
  worker.process.kill('SIGTERM');
  await worker.finished;
});

test.serial(
  'pause: what runs is finished, nothing else begins; resume: the rest runs',
  async (t) => {
    await using user = await projectOn(server, 'gated');
    const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
    const worker = user.start('worker', '-j2');
    await eventually('two tasks to run', async () => (await executions(user)).length === 2);
    t.deepEqual(await user.json('pause', '--json'), { run, state: 'paused' });
    t.regex((await user.run('pause')).stderr, /is paused already/);
    await user.write('open', '');
    await eventually('what ran to be finished', async () => {
      const { totals } = await user.json<Status>('status', '--json');
      return totals['finished'] === 2;
    });
    t.is((await executions(user)).length, 2);
    const { runs, notes } = await user.json<Status>('status', '--json');
    t.like(runs[0], { state: 'paused' });
    t.deepEqual(notes, [`run ${run} is paused: let it go on with jugq resume ${run}`]);
    const waited = await user.run('wait', '--timeout', '1s');
    t.regex(waited.stderr, /is not done in time: it is paused: let it go on with jugq resume/);
    t.like(await user.json('resume', '--json'), { run });
    t.is((await user.run('wait')).status, 0);
    t.is((await executions(user)).length, 5);
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);
