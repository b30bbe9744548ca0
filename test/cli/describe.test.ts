/** `jugq describe` as a user types it. */
import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

interface Dependency {
  readonly task: string;
  readonly state: string;
  readonly dependencies?: readonly Dependency[];
  readonly more: number;
}

interface Description extends Dependency {
  readonly function: string;
  readonly run?: string;
  readonly arguments?: readonly unknown[];
  readonly result?: { readonly worker: string; readonly ms: number; readonly bytes: number };
  readonly failure?: { readonly name: string; readonly message: string; readonly final: boolean };
  readonly code: string;
}

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

test.serial('a result: its call, its making, and its dependencies as a tree', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const { run } = await user.json<{ run: string }>('run', '--json', 'jugfile.ts', '3');
  const found = await user.json<Description>('describe', '--json', 'sum.');
  t.like(found, { function: 'sum', state: 'finished', run, code: 'same', more: 0 });
  t.regex(found.task, /^sum\.[a-z2-7]{32}$/);
  const inputs = found.dependencies ?? [];
  t.deepEqual(found.arguments, [inputs.map(({ task }) => ({ task }))]);
  t.deepEqual(
    inputs.map((each) => [each.state, each.dependencies]),
    [3, 3, 3].map(() => ['finished', []]),
  );
  t.true((found.result?.ms ?? -1) >= 0);
  t.is(found.result?.bytes, 1);
  const { stdout, status } = await user.run('describe', 'jugfile.ts', 'total', '--depth', '1');
  t.is(status, 0);
  t.regex(stdout, new RegExp(`^${found.task}\n  state +finished\n`));
  t.regex(
    stdout,
    /^ {2}arguments {2}\[ Task square\.\w{32}, Task square\.\w{32}, Task square\.\w{32} \]$/m,
  );
  t.regex(stdout, /^ {2}made by +\S+ in \d+(\.\d)? m?s$/m);
  t.regex(stdout, /^ {2}code +[0-9a-f]{20}: as in the newest plan$/m);
  t.regex(stdout, /^ {2}├ square\.\w{32} {2}finished/m);
  t.regex(stdout, /^ {2}└ square\.\w{32} {2}finished/m);
});

test.serial('a function mended and planned again: the result is of other code', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const jugfile = (body: string): string =>
    `import { task } from 'jugq';
     export const one = task(function one(x: number) { ${body} })(1);`;
  await user.write('jugfile.ts', jugfile('return x;'));
  await user.run('run', 'jugfile.ts');
  t.is((await user.json<Description>('describe', '--json', 'one')).code, 'same');
  await user.write('jugfile.ts', jugfile('return x + 0;'));
  await user.run('plan', 'jugfile.ts');
  t.is((await user.json<Description>('describe', '--json', 'one')).code, 'other');
  t.is((await user.json<Description>('describe', '--json', 'jugfile.ts', 'one')).code, 'other');
});

test.serial('a failed task and one behind it: the error, and blocked', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  await user.run('run', 'jugfile.ts');
  const all = await user.json<readonly Description[]>('describe', '--json', 'jugfile.ts', 'all');
  t.is(all.length, 10);
  const blocked = all.filter((each) => each.state === 'blocked');
  t.is(blocked.length, 3);
  const failed = blocked[0]?.dependencies?.[0];
  t.is(failed?.state, 'failed');
  const found = await user.json<Description>('describe', '--json', failed?.task ?? '');
  t.like(found.failure, { name: 'RangeError', message: 'cannot take 2', final: true });
  const { stdout } = await user.run('describe', failed?.task ?? '');
  t.regex(stdout, /^ {2}failure +RangeError: cannot take 2$/m);
});

test.serial(
  'before and while a worker runs: ready and waiting tasks are described too',
  async (t) => {
    await using user = await projectOn(server, 'gated');
    const empty = await user.run('describe', 'gated');
    t.is(empty.status, 1);
    t.is(empty.stdout, '');
    t.regex(empty.stderr, /^error: no result has an id that begins with gated/);
    await user.run('plan', 'jugfile.ts');
    const worker = user.start('worker', '-j2');
    await eventually('two tasks to run', async () => (await executions(user)).length === 2);
    const found = await user.json<Description>('describe', '--json', 'sum', '--width', '3');
    t.like(found, { state: 'waiting', more: 1, code: 'unknown' });
    t.deepEqual(
      found.dependencies?.map((each) => each.state),
      ['ready', 'ready', 'ready'],
    );
    const ambiguous = await user.run('describe', 'gated');
    t.is(ambiguous.status, 2);
    t.is(ambiguous.stderr.match(/^ {2}gated\.\w{32}$/gm)?.length, 4);
    await user.write('open', '');
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);

test.serial('a plain export, a jugfile without an export named, no such export: 2', async (t) => {
  await using user = await projectOn(server, 'nothing');
  for (const [call, message] of [
    [['jugfile.ts', 'answer'], /holds no task/],
    [['jugfile.ts'], /is a file: name the export to describe: jugq describe jugfile\.ts <export>/],
    [['jugfile.ts', 'question'], /has no export question: it exports answer/],
  ] as const) {
    const { status, stdout, stderr } = await user.run('describe', ...call);
    t.is(status, 2);
    t.is(stdout, '');
    t.regex(stderr, message);
  }
});

test.serial('thousands of dependencies: the state is right, the tree is cut', async (t) => {
  await using user = await projectOn(server, 'nothing');
  await user.write(
    'wide.ts',
    `import { task } from 'jugq';
     const one = task(function one(x: number) { return x; });
     const sum = task(function sum(xs: number[]) { return xs.length; });
     export const all = sum(Array.from({ length: 3000 }, (_, x) => one(x)));`,
  );
  await user.run('plan', 'wide.ts');
  const waiting = await user.json<Description>('describe', '--json', 'sum');
  t.like(waiting, { state: 'waiting', more: 2990 });
  await user.run('worker', '--exit-when-done');
  const { stdout } = await user.run('describe', 'sum');
  t.regex(stdout, /^ {2}state +finished$/m);
  t.regex(stdout, /^ {2}└ … and 2990 more$/m);
});
