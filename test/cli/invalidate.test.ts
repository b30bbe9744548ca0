/** `jugq invalidate` as a user types it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Status {
  readonly totals: Record<string, number>;
}

test.serial(
  'by name: 1,024 finished tasks of one function: no result left, 1,024 told',
  async (t) => {
    await using user = await projectOn(server, 'many');
    await user.run('run', 'jugfile.ts', '-j2');
    const gone = await user.json('invalidate', 'setA', '--json');
    const all = { tasks: 1024, results: 1024 };
    t.deepEqual(gone, {
      ...{ kind: 'invalidated', dryRun: false, ...all },
      functions: { setA: { ...all, matched: 1024 } },
    });
    t.is((await user.json<Status>('status', 'jugfile.ts', '--json')).totals['finished'], 0);
    t.like(await user.json('run', 'jugfile.ts', '-j2', '--json'), { executed: 1024, cached: 0 });
  },
);

test.serial('goes downstream: a new run executes exactly what depends on it', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.run('run', 'jugfile.ts');
  const before = (await executions(user)).length;
  const { status, stdout, stderr } = await user.run('invalidate', 'plus1');
  t.is(status, 0, stderr);
  t.is(stderr, 'plus1 hits plus1\n');
  t.regex(stdout, /^plus1 +8 +8 +named\nsum2 +16 +16 +depends on it\n24 results of 24 tasks inv/m);
  t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 24, cached: 8 });
  const again = (await executions(user)).slice(before);
  t.deepEqual([...new Set(again)].sort(), ['plus1', 'sum2']);
  t.is(again.length, 24);
});

test.serial(
  '--dry-run changes nothing; several patterns hit all that one of them does',
  async (t) => {
    await using user = await projectOn(server, 'forms');
    await user.run('run', 'jugfile.ts');
    const dry = await user.json<{ results: number }>('invalidate', '--dry-run', 'sum_', '--json');
    t.like(dry, { dryRun: true, tasks: 16, results: 16 });
    t.is((await user.json<Status>('status', 'jugfile.ts', '--json')).totals['finished'], 24);
    t.like(await user.json('invalidate', '=sum_2', '/^sub/', '--json'), { tasks: 16, results: 16 });
    t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 16, cached: 8 });
  },
);

test.serial('tasks of an older plan of the same jugfile: their results go, too', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.run('run', 'jugfile.ts', '5');
  await user.run('run', 'jugfile.ts', '2');
  t.like(await user.json('invalidate', 'square', '--json'), {
    ...{ tasks: 7, results: 7 },
    functions: {
      square: { tasks: 5, results: 5, matched: 5 },
      sum: { tasks: 2, results: 2, matched: 0 },
    },
  });
});

test.serial('a pattern that hits nothing or cannot be read: 2, nothing changes', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.run('run', 'jugfile.ts');
  const none = await user.run('invalidate', 'double', 'treble');
  t.is(none.status, 2);
  t.regex(none.stderr, /^error: no task and no result matches treble: see jugq status --all/);
  t.is((await user.run('invalidate', 'a b')).status, 2);
  t.is((await user.run('invalidate')).status, 2);
  t.is((await user.json<Status>('status', 'jugfile.ts', '--json')).totals['finished'], 32);
});

/** Types an answer on a terminal, where the command asks. */
async function onTerminal(user: UserDirectory, answer: string): Promise<string> {
  const command = `${process.execPath} ${program} invalidate sum_`;
  const child = spawn('script', ['-qec', command, '/dev/null'], { cwd: user.path, env: user.env });
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString();
    if (output.includes('[y/N]') && !child.stdin.writableEnded) child.stdin.end(`${answer}\n`);
  });
  await once(child, 'close');
  return output;
}

test.serial('on a terminal: asks where a bare word hits several functions', async (t) => {
  await using user = await projectOn(server, 'forms');
  await user.run('run', 'jugfile.ts');
  t.regex(await onTerminal(user, 'no'), /sum_ hits sum_2, sum_3[^]*nothing was invalidated/);
  t.is((await user.json<Status>('status', 'jugfile.ts', '--json')).totals['finished'], 24);
  // Ctrl-C, as a terminal sends it.
  const interrupted = await onTerminal(user, '\x03');
  t.regex(interrupted, /\[y\/N\] [^]*error: nothing was invalidated\s*$/);
  t.is((await user.json<Status>('status', 'jugfile.ts', '--json')).totals['finished'], 24);
  t.regex(await onTerminal(user, 'y'), /16 results of 16 tasks invalidated/);
});

test.serial(
  'while the run is active: what had finished is computed again, and the run ends',
  async (t) => {
    await using user = await projectOn(server, 'gated');
    await user.run('plan', 'jugfile.ts');
    const worker = user.start('worker', '-j2');
    await eventually('two tasks to run', async () => (await executions(user)).length === 2);
    t.like(await user.json('invalidate', 'gated', '--json'), { tasks: 5, results: 0 });
    await user.write('open', '');
    t.is((await user.run('wait')).status, 0);
    t.is(await user.json<number>('get', 'jugfile.ts', 'total'), 10);
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);

test.serial(
  'status after invalidate: what went is not counted as finished, and that is said',
  async (t) => {
    await using user = await projectOn(server, 'stages');
    await user.run('run', 'jugfile.ts');
    t.is((await user.run('status', '--exit-code')).status, 0);
    await user.run('invalidate', '=sum2');
    const after = await user.run('status', '--exit-code');
    t.is(after.status, 1);
    t.regex(after.stdout, /^sum2( +0)+$/m);
    t.regex(after.stdout, /^double( +0){5} +8$/m);
    t.regex(after.stdout, /invalidated after run \S+: 16 sum2: plan again to have them anew/);
    await user.run('run', 'jugfile.ts');
    t.is((await user.run('status', '--exit-code')).status, 0);
  },
);

test.serial('--stale: what older code made goes, with what depends on it', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const jugfile = (plus: number): string =>
    `import { task } from 'jugq';
     const one = task(function one(x: number) { return x + ${plus.toString()}; });
     const other = task(function other(x: number) { return x; });
     const two = task(function two(x: number, y: number) { return x + y; });
     export const all = [1, 2, 3].map((x) => two(one(x), other(x)));`;
  await user.write('jugfile.ts', jugfile(0));
  await user.run('run', 'jugfile.ts');
  const none = await user.run('invalidate', '--stale');
  t.is(none.status, 0, none.stderr);
  t.regex(none.stdout, /^no such result is stale/);
  await user.write('jugfile.ts', jugfile(10));
  t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 0, stale: { one: 3 } });
  t.like(await user.json('invalidate', '--stale', 'other', '--json'), { tasks: 0, results: 0 });
  const dry = await user.run('invalidate', '--stale', '--dry-run', '=one');
  t.regex(
    dry.stdout,
    /^one +3 +3 +changed\ntwo +3 +3 +depends on it\n6 results of 6 tasks would be/m,
  );
  t.like(await user.json('invalidate', '--stale', '--json'), { tasks: 6, results: 6 });
  t.notRegex((await user.run('status')).stdout, /changed since/);
  t.like(await user.json('run', 'jugfile.ts', '--json'), { executed: 6, cached: 3 });
  t.deepEqual(await user.json('get', 'jugfile.ts', 'all', '--json'), [12, 14, 16]);
  t.regex((await user.run('invalidate', '--stale')).stdout, /^no such result is stale/);
});
