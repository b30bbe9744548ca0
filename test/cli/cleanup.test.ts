/** `jugq du` and `jugq cleanup` as a user types them. */
import { createHash } from 'node:crypto';
import test from 'ava';
import { connectBroker } from '../../broker/connection.ts';
import { listObjects } from '../../broker/object-list.ts';
import { closeProject, openProject, type OpenProject } from '../../broker/project.ts';
import { recordDifference } from '../../broker/differences.ts';
import { scanHeads } from '../../broker/result-heads.ts';
import { cleanUp } from '../../cli/clean-up.ts';
import { parseProject, type TaskId } from '../../core/identifiers.ts';
import { encodeRecord, noCounts, recordFormat } from '../../core/records.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

interface CleanUp {
  readonly spared?: string;
  readonly results: number;
  readonly functions: Record<string, { objects: number; bytes: number }>;
  readonly plans: number;
  readonly bundles: number;
  readonly blobs: number;
  readonly failures: number;
  readonly bytes: number;
}
interface Use {
  readonly functions: Record<string, { results: number; blobs: number; blobBytes: number }>;
  readonly arguments: { objects: number };
  readonly plans: { objects: number };
  readonly code: { objects: number };
  readonly unreferenced: { objects: number };
}

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const jugfile = (xs: readonly number[]): string =>
  `import { task } from 'jugq';
   const one = task(function one(x: number) { return x; });
   const two = task(function two(x: number) { return x; });
   const big = task(function big(x: number, pad: string) { return 'x'.repeat(2_000_000) + pad.length; });
   export const all = [${xs.join(', ')}].map((x) => two(one(x)));
   export const large = [${xs.join(', ')}].map((x) => big(x, x.toString().repeat(100_000)));`;

test.serial('an empty project: nothing takes room, nothing goes', async (t) => {
  await using user = await projectOn(server, 'nothing');
  t.deepEqual((await user.json<Use>('du', '--json')).functions, {});
  const { status, stdout } = await user.run('cleanup');
  t.is(status, 0);
  t.is(stdout, 'removed 0 results: 0 B freed\n');
});

test.serial(
  'a task is removed from the jugfile and it is planned again: its results go',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    await user.write('jugfile.ts', jugfile([1, 2, 3]));
    await user.run('run', 'jugfile.ts');
    const use = await user.json<Use>('du', '--json');
    t.like(use.functions, { one: { results: 3, blobs: 0 }, big: { results: 3, blobs: 3 } });
    t.true((use.functions['big']?.blobBytes ?? 0) > 6_000_000);
    t.is(use.arguments.objects, 3);
    t.is((await user.json<CleanUp>('cleanup', '--json')).results, 0);
    await user.write('jugfile.ts', jugfile([1, 3]));
    await user.run('plan', 'jugfile.ts');
    const dry = await user.json<CleanUp>('cleanup', '--dry-run', '--json');
    t.like(dry, { results: 3, plans: 1, bundles: 1, blobs: 1, failures: 0 });
    const { status, stdout } = await user.run('cleanup');
    t.is(status, 0);
    t.regex(stdout, /^big +1 +\d+ B$/m);
    t.regex(stdout, /^removed 3 results, 1 plan, 1 bundle, 1 blob, 1 run record: 2\.\d MB freed$/m);
    const after = await user.json<Use>('du', '--json');
    t.like(after.functions, {
      one: { results: 2 },
      two: { results: 2 },
      big: { results: 2, blobs: 2 },
    });
    t.like(after, { plans: { objects: 1 }, code: { objects: 1 } });
    const { executed } = await user.json<{ executed: number }>('run', '--json', 'jugfile.ts');
    t.is(executed, 0);
    await user.write('jugfile.ts', jugfile([1, 2, 3]));
    const again = await user.json<{ executed: number }>('run', '--json', 'jugfile.ts');
    t.is(again.executed, 3);
  },
);

test.serial(
  'with the jugfile: what it declares now counts, though it was not planned',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    await user.write('jugfile.ts', jugfile([1, 2]));
    await user.run('run', 'jugfile.ts');
    await user.write('jugfile.ts', jugfile([2]));
    const report = await user.json<CleanUp>('cleanup', '--json', 'jugfile.ts');
    t.like(report, { results: 3, functions: { big: { objects: 1 }, one: { objects: 1 } } });
  },
);

test.serial('runs with other arguments and runs that are named are kept', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.run('run', 'jugfile.ts', '2');
  await user.run('run', 'jugfile.ts', '4');
  t.is((await user.json<CleanUp>('cleanup', '--json')).results, 0);
  await user.write('other.ts', jugfile([7]));
  const { run } = await user.json<{ run: string }>('run', '--json', 'other.ts');
  await user.write('other.ts', jugfile([8]));
  await user.run('run', 'other.ts');
  t.is((await user.json<CleanUp>('cleanup', '--json', '--keep', run)).results, 0);
  t.is((await user.json<CleanUp>('cleanup', '--json')).results, 3);
  t.is((await user.run('check', 'jugfile.ts', '2')).status, 0);
  t.is((await user.run('cleanup', '--keep', '01')).status, 2);
  // The jugfile with other arguments counts instead of their newest run, which is another.
  const given = await user.json<CleanUp>('cleanup', '--dry-run', '--json', 'jugfile.ts', '--', '2');
  t.is(given.results, 0);
  await user.write('jugfile.ts', jugfile([9]));
  const changed = await user.json<CleanUp>('cleanup', '--json', 'jugfile.ts', '--', '4');
  t.like(changed, { functions: { square: { objects: 2 } } });
});

test.serial('while a worker runs: what the active run needs stays', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j2', '--exit-when-done');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  t.is((await user.json<CleanUp>('cleanup', '--json')).results, 0);
  await user.write('open', '');
  t.is((await worker.finished).status, 0);
  t.is((await user.run('check', 'jugfile.ts')).status, 0);
});

test.serial(
  'a run that waits at a barrier: results behind it, of an older run, stay',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    const staged = (seed: number): string => `import { barrier, task, value } from 'jugq';
    const one = task(function one(x: number) { return 0 * x; });
    const two = task(function two(x: number) { return x; });
    const first = one(${seed.toString()});
    await barrier();
    export const last = two(await value(first));`;
    await user.write('jugfile.ts', staged(1));
    await user.run('run', 'jugfile.ts');
    await user.write('jugfile.ts', staged(2));
    const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
    await user.run('cancel', run);
    const report = await user.json<CleanUp>('cleanup', '--json');
    t.is(report.results, 0);
    await user.run('run', 'jugfile.ts');
    t.like(await user.json<CleanUp>('cleanup', '--json'), {
      results: 1,
      functions: { one: { objects: 1 } },
    });
  },
);

test.serial('while a run is being planned nothing is removed: 1', async (t) => {
  await using user = await projectOn(server, 'nothing', { JUGQ_PROJECT: 'planning' });
  await user.write('jugfile.ts', jugfile([1, 2]));
  await user.run('run', 'jugfile.ts');
  await user.write('jugfile.ts', jugfile([1]));
  await user.run('run', 'jugfile.ts');
  const project = await open('planning');
  const id = '01ZZZZZZZZZZZZZZZZZZZZZZZZ';
  const record = {
    ...{ format: recordFormat, id, state: 'planning', jugfile: 'new.ts', args: [], host: 'here' },
    ...{
      pid: 1,
      plannedAt: new Date().toISOString(),
      code: '',
      basis: 0,
      functions: { f: noCounts() },
    },
    ...{ fingerprints: {}, queues: {}, executed: 0, cached: 0, published: 0, epoch: 0, step: 0 },
  };
  await project.runs.put(id, encodeRecord(record));
  const { status, stdout } = await user.run('cleanup');
  t.is(status, 1);
  t.regex(stdout, /^nothing removed: run 01Z+ of new\.ts is being planned on here/);
  const longAgo = { ...record, plannedAt: new Date(0).toISOString() };
  await project.runs.put(id, encodeRecord(longAgo));
  t.is((await user.json<CleanUp>('cleanup', '--json')).results, 3);
  await closeProject(project);
});

test.serial(
  'blobs that nothing refers to stay for an hour: somebody may be about to',
  async (t) => {
    await using user = await projectOn(server, 'nothing', { JUGQ_PROJECT: 'loose' });
    const project = await open('loose');
    const bytes = Buffer.alloc(300_000, 7);
    await project.blobs.put(`${createHash('sha256').update(bytes).digest('hex')}.x`, [bytes]);
    t.is((await user.json<CleanUp>('cleanup', '--json')).blobs, 0);
    t.is((await user.json<Use>('du', '--json')).unreferenced.objects, 1);
    t.is((await listObjects(project, project.names.blobs)).length, 1);
    await closeProject(project);
  },
);

async function open(name: string): ReturnType<typeof openProject> {
  const connection = await connectBroker(
    { servers: [server.url], name, login: { kind: 'none' }, origins: { servers: '', login: '' } },
    () => undefined,
  );
  return openProject(connection, { project: parseProject(name), replicas: 1 });
}

test.serial(
  'records of runs that have ended and are not kept go; a retried one shares its plan',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    await user.run('run', 'jugfile.ts');
    await user.run('retry', '--all');
    const worker = await user.run('worker', '--exit-when-done');
    t.is(worker.status, 0, worker.stderr);
    const runs = async (): Promise<string[]> => {
      const status = await user.json<{ runs: { id: string }[] }>('status', '--all', '--json');
      return status.runs.map(({ id }) => id);
    };
    const before = await runs();
    t.is(before.length, 2);
    t.like(await user.json('cleanup', '--dry-run', '--json'), { runs: 1, plans: 0, results: 0 });
    t.is((await runs()).length, 2);
    t.like(await user.json('cleanup', '--json', '--keep', before[0] ?? ''), { runs: 0 });
    t.like(await user.json('cleanup', '--json'), { runs: 1, plans: 0, results: 0, failures: 0 });
    t.deepEqual(await runs(), before.slice(1));
    // The plan of both is still there.
    t.is((await user.run('retry', '--all')).status, 0);
    t.is((await user.run('worker', '--exit-when-done')).status, 0);
  },
);

test.serial('cleanup: a word on a difference goes with the result that it is of', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.run('run', 'jugfile.ts');
  const project = await openProject(
    await connectBroker(
      {
        servers: [server.url],
        name: 'test',
        login: { kind: 'none' },
        origins: { servers: '', login: '' },
      },
      () => undefined,
    ),
    { project: parseProject(user.env['JUGQ_PROJECT'] ?? ''), replicas: 1 },
  );
  const ids: TaskId[] = [];
  await scanHeads(project, ['square'], ({ id }) => ids.push(id));
  const [gone, stays] = ids;
  t.truthy(gone && stays);
  for (const task of [gone, stays]) {
    if (task === undefined) continue;
    const stored = await project.results.read(task);
    const digest = stored?.facts?.digest ?? '';
    const other = { worker: 'b', digest: 'other' };
    await recordDifference(project.failures, { task, stored: { worker: 'a', digest }, other });
  }
  await user.run('invalidate', gone ?? '');
  await user.run('cleanup');
  const left = (await project.failures.list('*.*.difference')).filter(({ value }) => value);
  t.deepEqual(
    left.map(({ key }) => key),
    [`${stays ?? ''}.difference`],
  );
  await closeProject(project);
});

/** The record of a run that nobody carries out. */
function recordOf(id: string, more: object): Uint8Array {
  return encodeRecord({
    ...{
      format: recordFormat,
      id,
      state: 'finished',
      jugfile: 'jugfile.ts',
      args: [],
      host: 'here',
    },
    ...{ pid: 1, plannedAt: new Date().toISOString(), code: '', basis: 0, functions: {} },
    ...{ fingerprints: {}, queues: {}, executed: 0, cached: 0, published: 0, epoch: 0, step: 0 },
    ...more,
  });
}

const oldRuns = 50;

/** Runs with a plan each that a newer run of the same jugfile has overtaken. */
async function putOldRuns(project: OpenProject): Promise<void> {
  for (let at = 0; at < oldRuns; at++) {
    const id = at.toString().padStart(26, '0');
    await project.plans.put(`old-${id}`, [Buffer.from('plan')]);
    await project.runs.put(id, recordOf(id, { plan: `old-${id}` }));
  }
}

test.serial('cleanup of many old runs: their records are not read for each object', async (t) => {
  await using user = await projectOn(server, 'parameters', { JUGQ_PROJECT: 'many' });
  await user.run('run', 'jugfile.ts');
  const project = await open('many');
  await putOldRuns(project);
  const list = project.runs.list.bind(project.runs);
  let times = 0;
  project.runs.list = (keys) => {
    if (keys === undefined) times++;
    return list(keys);
  };
  const { plans, runs } = await cleanUp(project, { keep: [], jugfiles: [], dryRun: false });
  t.deepEqual({ plans, runs, times }, { plans: oldRuns, runs: oldRuns, times: 2 });
  await closeProject(project);
});

test.serial('cleanup: a run that comes in the middle ends the removal of objects', async (t) => {
  await using user = await projectOn(server, 'parameters', { JUGQ_PROJECT: 'middle' });
  await user.run('run', 'jugfile.ts');
  const project = await open('middle');
  await putOldRuns(project);
  const before = (await listObjects(project, project.names.plans)).length;
  const remove = project.plans.delete.bind(project.plans);
  let removed = 0;
  project.plans.delete = async (name) => {
    await remove(name);
    const id = 'Z'.repeat(26);
    if (++removed === 3) await project.runs.put(id, recordOf(id, { state: 'planning' }));
  };
  const { plans } = await cleanUp(project, { keep: [], jugfiles: [], dryRun: false });
  t.is(plans, 3);
  t.is((await listObjects(project, project.names.plans)).length, before - 3);
  await closeProject(project);
});
