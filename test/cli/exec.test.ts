/** `jugq exec` as a user types it. */
import test from 'ava';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

test.serial(
  'an export: its function runs with the real inputs, and nothing is stored',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    const early = await user.run('exec', 'jugfile.ts', 'total', '--', '3');
    t.is(early.status, 1);
    t.is(early.stdout, '');
    t.regex(early.stderr, /^error: 3 tasks have no result: square\./);
    await user.run('run', 'jugfile.ts', '3');
    const before = (await executions(user)).length;
    const { status, stdout, stderr } = await user.run('exec', 'jugfile.ts', 'total');
    t.is(status, 0, stderr);
    t.is(stdout, '5\n');
    t.is((await executions(user)).length, before + 1);
    t.is((await user.run('exec', 'sum')).stdout, '5\n');
  },
);

test.serial(
  'mended code runs at once, what it prints goes to stderr, the result stays',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    const jugfile = (body: string): string =>
      `import { task } from 'jugq';
     export const one = task(function one(x: number) { ${body} })(1);`;
    await user.write('jugfile.ts', jugfile('return x;'));
    await user.run('run', 'jugfile.ts');
    await user.write(
      'jugfile.ts',
      jugfile("console.log('looking', x); return { x, at: new Map([['a', 2]]) };"),
    );
    const { status, stdout, stderr } = await user.run('exec', '--json', 'jugfile.ts', 'one');
    t.is(status, 0, stderr);
    t.is(stdout, '{"x":1,"at":{"a":2}}\n');
    t.regex(stderr, /^looking 1$/m);
    t.is((await user.run('exec', 'one')).stdout, '1\n');
    t.is((await user.run('get', 'jugfile.ts', 'one')).stdout, '1\n');
  },
);

test.serial('a task that throws: its own stack, and exit status 1', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  await user.run('run', 'jugfile.ts');
  const all = await user.run('exec', 'jugfile.ts', 'all');
  t.is(all.status, 2);
  t.regex(all.stderr, /holds 10 tasks: run one by its id: jugq exec plus1\./);
  const failed = await user.json<
    readonly { dependencies: readonly { task: string; state: string }[] }[]
  >('describe', '--json', 'jugfile.ts', 'all');
  const id = failed
    .flatMap((each) => each.dependencies)
    .find((each) => each.state === 'failed')?.task;
  const { status, stdout, stderr } = await user.run('exec', id ?? '');
  t.is(status, 1);
  t.is(stdout, '');
  t.regex(
    stderr,
    /^someFail\.\w+ failed:\nRangeError: cannot take 2\n +at someFail \(jugfile\.ts:8:\d+\)/m,
  );
});

test.serial('no such task: 1; a jugfile without an export: 2', async (t) => {
  await using user = await projectOn(server, 'nothing');
  t.is((await user.run('exec', 'nothing')).status, 1);
  const { status, stderr } = await user.run('exec', 'jugfile.ts');
  t.is(status, 2);
  t.regex(stderr, /name the export to run: jugq exec jugfile\.ts <export>/);
});
