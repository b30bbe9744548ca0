/** Compounds: what stands in their bodies, and what is remembered of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Gone {
  readonly tasks: number;
  readonly results: number;
  readonly functions: Readonly<Record<string, { readonly inner?: number }>>;
}

async function jugfile(text: string): Promise<UserDirectory> {
  const user = await projectOn(server, 'nothing');
  await user.write('jugfile.ts', text);
  return user;
}

async function exported(user: UserDirectory, name: string): Promise<unknown> {
  const { status, stdout, stderr } = await user.run('get', 'jugfile.ts', name);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function succeed(user: UserDirectory, ...args: string[]): Promise<void> {
  const { status, stderr } = await user.run(...args);
  if (status !== 0) throw new Error(stderr);
}

const written = { first: 2, second: 3, third: 3 };

test.serial('barriers inside, side by side and nested: one run goes through', async (t) => {
  await using user = await projectOn(server, 'compound-barriers');
  await succeed(user, 'run', 'jugfile.ts');
  t.is(await exported(user, 'total'), written.first + written.second);
  const nested = JSON.stringify(await exported(user, 'nested'));
  t.regex(nested, /"first":\{"files":2\},"second":2/);
  t.is((await executions(user)).length, 8);
  t.like(await user.json('run', 'jugfile.ts', '--json'), { tasks: 4, executed: 0 });
});

test.serial('barriers inside, planned and left: a worker plans on to the end', async (t) => {
  await using user = await projectOn(server, 'compound-barriers');
  await succeed(user, 'plan', 'jugfile.ts');
  await succeed(user, 'worker', '--exit-when-done');
  t.is(await exported(user, 'total'), written.first + written.second);
  t.is((await executions(user)).length, 8);
});

test.serial('a value that needs the compound itself: the run fails and says so', async (t) => {
  await using user = await jugfile(`import { compound, task, value, type Task } from 'jugq';
    const inc = task(function inc(x: number): number { return x + 1; });
    const later: Task<number>[] = [];
    const all = compound(async function all(x: number): Promise<number> {
      const [known = 0] = await value(later);
      return known + x;
    });
    later.push(inc(all(1)));`);
  const { status, stderr } = await user.run('run', 'jugfile.ts');
  t.is(status, 1);
  t.regex(
    stderr,
    /planning stopped at all \(jugfile\.ts:5:\d+\): what it waits for needs a compound/,
  );
  t.notRegex(stderr, /every result is there/);
});

test.serial(
  'a task that the body does not return: the compound is there only with it',
  async (t) => {
    await using user = await jugfile(`import { existsSync } from 'node:fs';
    import { compound, task } from 'jugq';
    const inc = task(function inc(x: number): number { return x + 1; });
    const report = task(function report(x: number): void {
      if (!existsSync('ready')) throw new Error('no paper');
    });
    const all = compound(function all(x: number) { report(x); return inc(x); });
    export const two = all(1);`);
    t.is((await user.run('run', 'jugfile.ts')).status, 1);
    t.is((await user.run('get', 'jugfile.ts', 'two')).status, 1);
    await user.write('ready', '');
    t.like(await user.json('run', 'jugfile.ts', '--json'), { tasks: 3, executed: 2 });
    t.is(await exported(user, 'two'), 2);
  },
);

test.serial(
  'an inner function is invalidated: the compound goes, however old its plan is',
  async (t) => {
    await using user = await projectOn(server, 'compounds');
    await succeed(user, 'run', 'jugfile.ts');
    const ran = (await executions(user)).length;
    await succeed(user, 'run', 'jugfile.ts');
    t.like(await user.json('cleanup', '--json'), { results: 5, plans: 1 });
    const patterns = ['invalidate', '=double', '--json'];
    const gone = await user.json<Gone>(...patterns);
    t.deepEqual(Object.keys(gone.functions), ['around', 'double', 'tadd', 'twice']);
    t.is(gone.results, 3, 'those of inner tasks had been cleaned up');
    await succeed(user, 'run', 'jugfile.ts');
    t.deepEqual(await exported(user, 'nested'), { inner: [10, 10], known: 210, last: 420 });
    t.is((await executions(user)).length, 2 * ran);
  },
);

test.serial(
  'a task that is planned later is reached through a compound that is not expanded',
  async (t) => {
    await using user = await projectOn(server, 'compounds');
    await succeed(user, 'run', 'jugfile.ts');
    await user.write(
      'more.ts',
      `${await readFile(join(user.path, 'jugfile.ts'), 'utf8')}
    const more = task(function more(x: number): number { return x + 1; });
    export const seventeen = more(sixteen);`,
    );
    await succeed(user, 'run', 'more.ts');
    const gone = await user.json<Gone>('invalidate', '=double', '--json');
    t.deepEqual(Object.keys(gone.functions), ['around', 'double', 'more', 'tadd', 'twice']);
    t.is((await user.run('check', 'more.ts')).status, 1);
    t.is((await user.run('get', 'more.ts', 'seventeen')).status, 1);
  },
);

test.serial(
  'a compound is invalidated: its inner tasks stay, or go along with --inner',
  async (t) => {
    await using user = await projectOn(server, 'compounds');
    await succeed(user, 'run', 'jugfile.ts');
    const around = await user.json<Gone>('invalidate', '=around', '--json');
    t.like(around, { tasks: 1, results: 1 });
    t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 1 });
    const dry = await user.run('invalidate', '=around', '--inner', '--dry-run');
    t.regex(dry.stdout, /^double +3 +3 +inside of it$/m);
    const gone = await user.json<Gone>('invalidate', '=around', '--inner', '--json');
    t.like(gone, {
      ...{ tasks: 5, results: 5 },
      functions: { around: { matched: 1 }, double: { inner: 3 }, twice: { inner: 1 } },
    });
    t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 5 });
  },
);

test.serial('a compound that no kept run declares is forgotten with its plans', async (t) => {
  await using user = await projectOn(server, 'compounds');
  await succeed(user, 'run', 'jugfile.ts');
  await user.write('jugfile.ts', 'export const nothing = 1;\n');
  t.like(await user.json('cleanup', 'jugfile.ts', '--json'), { results: 8, runs: 1 });
  const { status, stderr } = await user.run('invalidate', '=double');
  t.is(status, 2);
  t.regex(stderr, /no task and no result matches =double/);
});
