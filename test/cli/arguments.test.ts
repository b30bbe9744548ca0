/** Arguments with a say of their own (files, lazy and late results, large values) and external programs, as a user sees them. */
import { createHash } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { userDirectory, type UserDirectory } from '../kit/cli.ts';
import { executions, projectOn, readJugfile } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Ended {
  readonly tasks: number;
  readonly executed: number;
  readonly failed: number;
}

async function exported(user: UserDirectory, name: string): Promise<unknown> {
  const { status, stdout, stderr } = await user.run('get', 'jugfile.ts', name);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function withFiles(user: UserDirectory): Promise<void> {
  await user.write('data/a.txt', 'first');
  await user.write('data/twin.txt', 'first');
  await user.write('data/.hidden.txt', 'hidden');
}

test.serial(
  'file: what counts is the content, whatever the name; a task gets a path',
  async (t) => {
    await using user = await projectOn(server, 'files');
    await withFiles(user);
    const first = await user.json<Ended>('run', 'jugfile.ts', '--json');
    t.like(first, { tasks: 2, executed: 2 });
    t.is(await exported(user, 'one'), 'first');
    t.is(await exported(user, 'twin'), 'first');
    t.deepEqual(await exported(user, 'all'), [5, 5]);
    t.deepEqual(
      await exported(user, 'names'),
      ['a', 'twin'].map((name) => join(user.path, 'data', `${name}.txt`)),
    );

    await rename(join(user.path, 'data', 'a.txt'), join(user.path, 'data', 'other.txt'));
    await user.write('data/a.txt', 'first');
    const same = await user.json<Ended>('run', 'jugfile.ts', '--json');
    t.like(same, { tasks: 2, executed: 1 }, 'three files match now');

    await user.write('data/a.txt', 'second');
    const other = await user.json<Ended>('run', 'jugfile.ts', '--json');
    t.like(other, { tasks: 3, executed: 2 });
    t.is(await exported(user, 'one'), 'second');
    t.is(await exported(user, 'twin'), 'first');
  },
);

test.serial('file: a worker elsewhere gets the content as it was planned', async (t) => {
  await using user = await projectOn(server, 'files');
  await withFiles(user);
  t.is((await user.run('plan', 'jugfile.ts')).status, 0);
  await user.write('data/a.txt', 'changed since');
  await rename(join(user.path, 'data', 'twin.txt'), join(user.path, 'data', 'gone.txt'));
  const { JUGQ_PROJECT = '', NATS_URL = '' } = user.env;
  await using elsewhere = await userDirectory({}, { JUGQ_PROJECT, NATS_URL });
  const worker = await elsewhere.run('worker', '--exit-when-done');
  t.is(worker.status, 0, worker.stderr);
  await withFiles(user);
  await rm(join(user.path, 'data', 'gone.txt'));
  t.is(await exported(user, 'one'), 'first');
  t.deepEqual((await executions(elsewhere)).toSorted(), ['lengths', 'read']);
});

test.serial('file: what is not there: planning fails, and says where it is named', async (t) => {
  await using user = await projectOn(server, 'files');
  const { status, stderr } = await user.run('plan', 'jugfile.ts');
  t.is(status, 2);
  t.regex(stderr, /a file cannot be read: \S+data\/a\.txt: jugfile\.ts:\d+:\d+: ENOENT/);
});

test.serial('exec: a task with a file and a lazy one run in the main thread, too', async (t) => {
  await using user = await projectOn(server, 'files');
  await withFiles(user);
  await user.write('lazy.ts', await readJugfile('lazy'));
  for (const jugfile of ['jugfile.ts', 'lazy.ts']) {
    t.is((await user.run('run', jugfile)).status, 0);
  }
  t.is((await user.run('exec', 'jugfile.ts', 'one', '--json')).stdout, '"first"\n');
  t.is((await user.run('exec', 'lazy.ts', 'sum', '--json')).stdout, '90\n');
});

test.serial(
  'lazy: the task waits for all, and loads what it wants, as often as it wants',
  async (t) => {
    await using user = await projectOn(server, 'lazy');
    const { status, stderr } = await user.run('run', 'jugfile.ts', '-j', '2');
    t.is(status, 0, stderr);
    t.is(await exported(user, 'sum'), 90);
    t.is(await exported(user, 'picked'), 40);
    t.is(await exported(user, 'derived'), 41);
    t.is(await exported(user, 'mapped'), 4);
    t.deepEqual(await exported(user, 'twice'), [
      [3, 6],
      [3, 6, 0],
      [3, 6],
    ]);
    const ran = await executions(user);
    const before = ran.slice(0, ran.indexOf('total')).filter((each) => /^large \d$/.test(each));
    t.is(before.length, 10);
  },
);

test.serial('lazy: a result larger than a message is read in pieces, by exec, too', async (t) => {
  await using user = await projectOn(server, 'lazy');
  t.is((await user.run('run', 'jugfile.ts', '-j', '2')).status, 0);
  const hash = createHash('sha256').update(Buffer.alloc(5_000_000, 'abcdefg')).digest('hex');
  const whole = { hash, longest: 128 * 1024 };
  t.deepEqual(await exported(user, 'streamed'), whole);
  const { stdout } = await user.run('exec', 'jugfile.ts', 'streamed', '--json');
  t.deepEqual(JSON.parse(stdout), whole);
});

test.serial('after: the task waits for all; invalidating one of them reaches it', async (t) => {
  await using user = await projectOn(server, 'lazy');
  t.is((await user.run('run', 'jugfile.ts')).status, 0);
  t.is(await exported(user, 'ordered'), 'done');
  const ran = await executions(user);
  const before = ran.slice(0, ran.indexOf('order')).filter((each) => /^large \d$/.test(each));
  t.is(before.length, 10);
  const [id = ''] = (await user.run('describe', 'jugfile.ts', 'ordered', '--json')).stdout.match(
    /large\.[a-z2-7]{32}/,
  ) ?? [''];
  const gone = await user.json<{ functions: Record<string, { results: number }> }>(
    ...['invalidate', id, '--yes', '--json'],
  );
  t.deepEqual(Object.keys(gone.functions).sort(), ['large', 'order', 'total']);
});

test.serial(
  'shell: streams, files, environment and directory of an external program',
  async (t) => {
    await using user = await projectOn(server, 'programs');
    const { status, stderr } = await user.run('run', 'jugfile.ts');
    t.is(status, 1);
    t.is(await exported(user, 'said'), 'an pear 2\n');
    t.is(await exported(user, 'lines'), 'a\nb\n');
    t.is(await exported(user, 'piped'), 'PEAR');
    t.deepEqual(await exported(user, 'variable'), { stdout: 'pear', stderr: '/\n', outputs: {} });
    t.regex(
      stderr,
      /✗ wrong\/shell\.\w+\n +ProgramFailed: sh ended with exit status 3\n +stdout: half done\n +stderr: no luck\n/,
    );
    t.regex(stderr, /ProgramFailed: there is no program no-such-program-here on this worker/);
    t.regex(stderr, /ProgramFailed: true has left no file out\.txt/);
  },
);

test.serial('shell: a file() reaches the program under the name that it is given', async (t) => {
  await using user = await projectOn(server, 'files');
  await user.write(
    'jugfile.ts',
    `import { file, pick, shell } from 'jugq';
    export const shown = pick(
      shell('cat', ['here.txt', file('data/a.txt')], { inputs: { 'here.txt': file('data/a.txt') } }),
      'stdout',
    );`,
  );
  await withFiles(user);
  t.is((await user.run('run', 'jugfile.ts')).status, 0);
  t.is(await exported(user, 'shown'), 'firstfirst');
});

test.serial('shell: a program that is late ends with its task, and what it started', async (t) => {
  await using user = await projectOn(server, 'files');
  await user.write(
    'jugfile.ts',
    `import { shell } from 'jugq';
    export const late = shell('sh', ['-c', 'trap "echo ended >> ended.log; exit" TERM; sleep 600 & wait'],
      { timeout: '1s' });`,
  );
  const { status, stderr } = await user.run('run', 'jugfile.ts');
  t.is(status, 1);
  t.regex(stderr, /Timeout: it took longer than its timeout of 1000 ms/);
  t.is(await readFile(join(user.path, 'ended.log'), 'utf8'), 'ended\n');
});

test.serial(
  'shell: two calls of one name with different options: an error that names both',
  async (t) => {
    await using user = await projectOn(server, 'files');
    await writeFile(
      join(user.path, 'jugfile.ts'),
      `import { shell } from 'jugq';
    shell('true');
    shell('true', [], { retries: 2 });`,
    );
    const { status, stderr } = await user.run('plan', 'jugfile.ts');
    t.is(status, 2);
    t.regex(
      stderr,
      /true\/shell: two calls have different options \(retries\): jugfile\.ts:2:\d+ and jugfile\.ts:3/,
    );
  },
);

test.serial(
  'a large argument that several tasks take: it is stored once, and arrives',
  async (t) => {
    await using user = await projectOn(server, 'files');
    await user.write(
      'jugfile.ts',
      `import { task } from 'jugq';
    const item = task(function item(xs: number[], at: number): number { return xs[at] ?? -1; });
    const table = Array.from({ length: 50_000 }, (_, x) => x / 2);
    export const items = [1, 3, 5].map((at) => item(table, at));`,
    );
    const ended = await user.json<Ended>('run', 'jugfile.ts', '--json');
    t.like(ended, { tasks: 4, executed: 4 });
    t.deepEqual(await exported(user, 'items'), [0.5, 1.5, 2.5]);
  },
);
