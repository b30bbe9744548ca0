/** Jugfiles that end while they are parked, or cannot be evaluated: what users see, and what becomes of the run. */
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Run {
  readonly state: string;
  readonly note?: string;
}

interface Status {
  readonly runs: readonly Run[];
  readonly functions: Readonly<Record<string, { readonly running: number }>>;
}

async function runsOf(user: UserDirectory): Promise<readonly Run[]> {
  return (await user.json<Status>('status', '--json')).runs;
}

async function jugfile(text: string): Promise<UserDirectory> {
  const user = await projectOn(server, 'nothing');
  await user.write('jugfile.ts', text);
  return user;
}

const smallHeap = { NODE_OPTIONS: '--max-old-space-size=80' };
const noMemory = /it ran out of memory, of which it had \d+ MB: .*--max-old-space-size/;
const greedy = `
  import { task, value } from 'jugq';
  const one = task(function one(): number { return 1; });
  const fill = (): void => {
    const all: object[] = [];
    for (let i = 0; ; i++) all.push(Array.from({ length: 1000 }, (_, j) => ({ i, j })));
  };
`;

test('a jugfile that fills the memory of jugq plan: one error that says so', async (t) => {
  await using user = await jugfile(`${greedy} fill();`);
  const { status, stderr } = await user.startWith(smallHeap, 'plan', 'jugfile.ts').finished;
  t.is(status, 2, stderr);
  t.regex(stderr, noMemory);
  t.notRegex(stderr, /\n\s+at /);
});

test('a jugfile that fills the memory of a worker that plans it on: the run fails, the worker lives', async (t) => {
  await using user = await jugfile(`${greedy} await value(one()); fill();`);
  const planned = await user.run('plan', 'jugfile.ts');
  t.is(planned.status, 0, planned.stderr);
  const worker = user.startWith(smallHeap, 'worker', '-j', '1');
  const failed = await eventually('the run to fail', async () => {
    if (worker.process.exitCode !== null) throw new Error(worker.output());
    return (await runsOf(user)).find(({ state }) => state === 'failed');
  });
  t.regex(failed.note ?? '', /^planning went on at /);
  t.regex(failed.note ?? '', noMemory);
  // Whoever looks at the worker alone is told as well.
  await worker.printed(/planning went on at .* and failed: /);
  await user.write(
    'other.ts',
    `import { task } from 'jugq';
    const two = task(function two(): number { return 2; });
    export const y = two();`,
  );
  const other = await user.run('plan', '--wait', 'other.ts');
  t.is(other.status, 0, other.stderr);
  t.is(worker.process.exitCode, null);
});

/** `opened` resolves when the file `open` is there, and keeps the jugfile's thread alive until then. */
const gate = `
  import { existsSync } from 'node:fs';
  import { compound, task, value } from 'jugq';
  const one = task(function one(x: number): number { return x; });
  const opened = async (): Promise<void> => {
    while (!existsSync('open')) await new Promise((resolve) => setTimeout(resolve, 20));
  };
`;

test('a jugfile that throws while its planner waits: its error is shown then, and the run has failed', async (t) => {
  await using user = await jugfile(`${gate}
    const service = async () => { await opened(); throw new Error('the web service is down'); };
    await Promise.all([value(one(1)), service()]);
  `);
  const planner = user.start('plan', '--wait', 'jugfile.ts');
  await planner.printed(/planning waits at/);
  await user.write('open', '');
  // No worker is there: what the jugfile waits for never comes.
  const { status, stderr } = await planner.finished;
  t.is(status, 2, stderr);
  t.regex(stderr, /Error: the web service is down/);
  const [run] = await runsOf(user);
  t.is(run?.state, 'failed');
  t.regex(run?.note ?? '', /the web service is down/);
  const failures = await user.run('failures');
  t.regex(
    failures.stderr,
    /^no task has failed\nrun \w+ failed: [^\n]*the web service is down/,
    'no task of it, but the whole of it',
  );
});

test('a planner that stood still while a worker planned on, and then throws: the run goes on', async (t) => {
  await using user = await jugfile(`
    import { existsSync } from 'node:fs';
    import { task, value } from 'jugq';
    const until = async (file: string): Promise<void> => {
      while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const one = task(function one(x: number): number { return x; });
    const slow = task(async function slow(x: number): Promise<number> { await until('go'); return x; });
    const service = async (): Promise<void> => {
      if (process.env['BREAKS'] !== '1') return;
      await until('open');
      throw new Error('the web service is down');
    };
    const [x] = await Promise.all([value(one(1)), service()]);
    export const y = slow(x + 1);
  `);
  const planner = user.startWith({ BREAKS: '1' }, 'plan', '--wait', 'jugfile.ts');
  await planner.printed(/planning waits at/);
  planner.process.kill('SIGSTOP');
  const worker = user.start('worker', '-j', '1');
  await eventually('the run to be planned on', async () => {
    const { functions } = await user.json<Status>('status', '--json');
    return functions['slow']?.running === 1;
  });
  await user.write('open', '');
  planner.process.kill('SIGCONT');
  const { status, stderr } = await planner.finished;
  t.is(status, 2, stderr);
  t.regex(stderr, /Error: the web service is down/);
  t.is((await runsOf(user))[0]?.state, 'running');
  await user.write('go', '');
  await eventually('its end', async () => (await runsOf(user))[0]?.state === 'finished');
  t.is(worker.process.exitCode, null);
});

test('a jugfile that comes to its end while its planner waits: the rest is submitted then', async (t) => {
  await using user = await jugfile(`${gate}
    await Promise.race([value(one(1)), opened()]);
    export const rest = one(2);
  `);
  const planner = user.start('plan', '--wait', 'jugfile.ts');
  await planner.printed(/planning waits at/);
  await user.write('open', '');
  await planner.printed('planned on: 1 more task, to the end');
  user.start('worker', '-j', '1');
  const { status, stderr } = await planner.finished;
  t.is(status, 0, stderr);
  t.is((await user.run('get', 'jugfile.ts', 'rest')).stdout.trim(), '2');
});

test('a compound’s result goes after the jugfile came to its end: it is planned again', async (t) => {
  await using user = await jugfile(`${gate}
    export const both = compound(function twice(x: number) { return [one(x), one(x + 1)]; })(4);
  `);
  t.is((await user.run('run', 'jugfile.ts')).status, 0);
  await user.write(
    'more.ts',
    `${gate}
    import { appendFileSync } from 'node:fs';
    const sum = task(function sum(xs: number[], y: number): number { return xs.length + y; });
    const gated = task(async function gated(): Promise<number> {
      appendFileSync('ran.log', 'gated\\n');
      await opened();
      return 1;
    });
    const both = compound(function twice(x: number) { return [one(x), one(x + 1)]; })(4);
    export const total = sum(both, gated());`,
  );
  const planner = user.start('plan', '--wait', 'more.ts');
  user.start('worker', '-j', '1');
  await eventually('the gated task', async () => (await executions(user)).length > 0);
  const gone = await user.run('invalidate', '=twice');
  t.is(gone.status, 0, gone.stderr);
  await user.write('open', '');
  const { status, stderr } = await planner.finished;
  t.is(status, 0, stderr);
  t.is((await user.run('get', 'more.ts', 'total')).stdout.trim(), '3');
});
