/** `jugq export` and `jugq import` as a user types them. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { connectBroker } from '../../broker/connection.ts';
import { closeProject, openProject } from '../../broker/project.ts';
import { exportTo } from '../../cli/export-project.ts';
import { readPortable } from '../../cli/portable-file.ts';
import { parseProject } from '../../core/identifiers.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const jugfile = `import { task } from 'jugq';
  const one = task(function one(x: number) { return x; });
  const big = task(function big(x: number, pad: string) { return 'x'.repeat(2_000_000) + x + pad.length; });
  export const all = [1, 2, 3].map((x) => one(x));
  export const large = big(one(1), 'p'.repeat(100_000));
`;

for (const file of ['all.jugq', 'all.jugq.gz']) {
  test.serial(
    `${file}: another project has all of it: nothing is executed, all is told`,
    async (t) => {
      await using user = await projectOn(server, 'nothing');
      await user.write('jugfile.ts', jugfile);
      await user.run('run', 'jugfile.ts');
      const { status, stdout, stderr } = await user.run('export', file);
      t.is(status, 0, stderr);
      t.is(stdout, `${file}: 4 results, 2 blobs, 1 plan, 1 bundle, 1 run\n`);
      const there = ['--project', `there-${file.replaceAll('.', '-')}`];
      const taken = await user.json('import', '--json', ...there, file);
      t.like(taken, {
        results: 4,
        there: 0,
        other: 0,
        revived: 0,
        blobs: 2,
        plans: 1,
        code: 1,
        runs: 1,
      });
      const again = await user.json<{ executed: number }>('run', '--json', ...there, 'jugfile.ts');
      t.is(again.executed, 0);
      t.is((await user.run('get', ...there, 'jugfile.ts', 'large')).stdout.length, 2_000_010);
      t.regex((await user.run('describe', ...there, 'big')).stdout, /^ {2}made by +\S+ in/m);
      const twice = await user.run('import', ...there, file);
      t.is(twice.stdout, '0 results imported, 4 were there\n');
    },
  );
}

test.serial('what is there with another value stays; what was cleaned up comes back', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const clock = (add: number): string => `import { task } from 'jugq';
    const f = task(function f(x: number) { return x + ${add.toString()}; });
    export const a = f(1);
    export const b = f(2);`;
  await user.write('jugfile.ts', clock(0));
  await user.run('run', 'jugfile.ts');
  await user.run('export', 'old.jugq');
  const there = ['--project', 'otherwise'];
  await user.write('jugfile.ts', clock(10).replace('export const b = f(2);', ''));
  await user.run('run', ...there, 'jugfile.ts');
  const taken = await user.run('import', ...there, 'old.jugq');
  t.is(
    taken.stdout,
    '1 result imported, 1 were there with another value, which stays, 1 plan, 1 run\n',
  );
  t.is((await user.run('get', ...there, 'jugfile.ts', 'a')).stdout, '11\n');
  await user.run('run', 'jugfile.ts');
  t.like(await user.json('cleanup', '--json'), { results: 1 });
  t.like(await user.json('import', '--json', 'old.jugq'), { results: 1, revived: 1, there: 1 });
});

test.serial('an empty project, a target, and through a pipe', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const empty = await user.run('export', 'empty.jugq');
  t.is(empty.stdout, 'empty.jugq: 0 results, 0 blobs, 0 plans, 0 bundles, 0 runs\n');
  t.is((await user.run('import', 'empty.jugq')).stdout, '0 results imported\n');
  await user.write('jugfile.ts', jugfile);
  await user.run('run', 'jugfile.ts');
  t.like(await user.json('export', '--json', '--target', '=one', 'one.jugq'), {
    ...{ results: 3, blobs: 0, plans: 0, runs: 0 },
  });
  const piped = await user.run('export', '--target', '=one', '-');
  t.is(piped.status, 0);
  t.true(piped.stdout.startsWith('jugq-export 1\n'));
});

test.serial(
  'a file that is damaged, cut, foreign or not there: what is wrong, and nothing else',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    await user.write('jugfile.ts', jugfile);
    await user.run('run', 'jugfile.ts');
    await user.run('export', 'whole.jugq');
    const whole = await readFile(join(user.path, 'whole.jugq'));
    await writeFile(join(user.path, 'cut.jugq'), whole.subarray(0, whole.length - 10));
    const flipped = Buffer.from(whole);
    flipped[1_000_000] = 255 - (flipped[1_000_000] ?? 0);
    await writeFile(join(user.path, 'flipped.jugq'), flipped);
    const there = ['--project', 'damage'];
    const cut = await user.run('import', ...there, 'cut.jugq');
    t.is(cut.status, 1);
    t.regex(cut.stderr, /^error: \S*cut\.jugq is damaged: it ends early/);
    t.is((await user.run('import', ...there, 'flipped.jugq')).status, 1);
    const foreign = await user.run('import', ...there, 'jugfile.ts');
    t.is(foreign.status, 2);
    await user.write('plain.gz', 'not compressed at all');
    const plain = await user.run('import', ...there, 'plain.gz');
    t.is(plain.status, 2);
    t.regex(plain.stderr, /plain\.gz is no file of jugq export/);
    t.is((await user.run('import', ...there, 'absent.jugq')).status, 2);
    t.is((await user.run('export', 'no/such/folder/x.jugq')).status, 2);
  },
);

test.serial('while a worker runs: the run is exported as one to be planned again', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  await user.run('export', 'running.jugq');
  const states: string[] = [];
  for await (const record of readPortable(join(user.path, 'running.jugq'), process.stdin)) {
    if (record[0] === 'run') states.push((JSON.parse(record[2]) as { state: string }).state);
  }
  t.deepEqual(states, ['cancelled']);
  await user.write('open', '');
  worker.process.kill('SIGTERM');
  await worker.finished;
});

test.serial(
  'an export that fails: the older file stays as it was, nothing beside it',
  async (t) => {
    await using user = await projectOn(server, 'nothing', { JUGQ_PROJECT: 'failing' });
    await user.write('jugfile.ts', jugfile);
    await user.run('run', 'jugfile.ts');
    const path = join(user.path, 'backup.jugq');
    await user.run('export', 'backup.jugq');
    const [before, names] = [await readFile(path), await readdir(user.path)];
    const connection = await connectBroker(
      {
        servers: [server.url],
        name: 't',
        login: { kind: 'none' },
        origins: { servers: '', login: '' },
      },
      () => undefined,
    );
    const project = await openProject(connection, {
      project: parseProject('failing'),
      replicas: 1,
    });
    project.results.readLast = () => Promise.reject(new Error('the server is gone'));
    await t.throwsAsync(exportTo(project, { path }), { message: 'the server is gone' });
    await t.throwsAsync(exportTo(project, { path: join(user.path, 'new.jugq') }));
    t.deepEqual(await readFile(path), before);
    t.deepEqual(await readdir(user.path), names);
    await closeProject(project);
  },
);
