/** One fault each, at the point where it hurts most: real processes behind proxies that listen in on what they say. */
import test from 'ava';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { decodeRecord, type LeaseRecord, type RunRecord } from '../../core/records.ts';
import type { Started, UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn, repeated } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { startProxy, type TcpProxy } from '../kit/tcp-proxy.ts';
import { points } from './blows.ts';
import { statusOf } from './looks.ts';
import { openProjectOf, type OpenedProject } from './open-project.ts';

let server: TestServer;

test.beforeEach(async () => {
  server = await startServer();
});

test.afterEach.always(() => server[Symbol.asyncDispose]());

/** Tasks that take a moment each, one after the other in four rows, and what comes of them. */
const rows = `
  import { appendFileSync } from 'node:fs';
  import { setTimeout as delay } from 'node:timers/promises';
  import { task } from 'jugq';
  const step = task(async function step(x: number, before: number): Promise<number> {
    appendFileSync('ran.log', 'step ' + x + ' ' + before + '\\n');
    await delay(40);
    return before * 3 + x;
  });
  const sum = task(function sum(all: number[]): number { return all.reduce((a, b) => a + b, 0); });
  const ends = [0, 1, 2, 3].map((x) => {
    let last: any = x;
    for (let n = 0; n < 12; n++) last = step(n, last);
    return last;
  });
  export const total = sum(ends);`;
const total = [0, 1, 2, 3]
  .map((x) => Array.from({ length: 12 }, (_, n) => n).reduce((before, n) => before * 3 + n, x))
  .reduce((a, b) => a + b, 0)
  .toString();

interface Scene extends AsyncDisposable {
  readonly user: UserDirectory;
  readonly project: OpenedProject;
  readonly proxy: TcpProxy;
  /** Starts a command that reaches the server through the proxy. */
  readonly start: (...args: string[]) => Started;
  readonly said: (point: keyof ReturnType<typeof points>, act: () => void) => Promise<void>;
}

async function openScene(): Promise<Scene> {
  const user = await projectOn(server, 'stages');
  await user.write('jugfile.ts', rows);
  const project = await openProjectOf(user, server);
  const proxy = await startProxy(server.port);
  return {
    user,
    project,
    proxy,
    start: (...args) => user.startWith({ NATS_URL: `127.0.0.1:${proxy.port}` }, ...args),
    said: (point, act) =>
      new Promise((resolve) => {
        proxy.whenSaid(points(project.names.project)[point] ?? point, () => {
          act();
          resolve();
        });
      }),
    [Symbol.asyncDispose]: async () => {
      await user[Symbol.asyncDispose]();
      await project[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

async function holderPid(project: OpenedProject): Promise<number | undefined> {
  const value = (await project.leases.get('dispatcher'))?.value;
  return value && decodeRecord<LeaseRecord>(value, 'the lease').pid;
}

async function emptyQueue(project: OpenedProject): Promise<void> {
  await eventually('the queue to be empty', async () => (await project.queue.list()).length === 0);
}

test.serial('a worker killed after the put and before the ack: nothing runs twice', async (t) => {
  await using scene = await openScene();
  const { user } = scene;
  const planned = user.start('plan', '--wait', 'jugfile.ts');
  const worker = scene.start('worker', '-j1');
  await scene.said('after a result is put and before the ack', () =>
    worker.process.kill('SIGKILL'),
  );
  const ran = (await executions(user)).length;
  t.true(ran <= 2, 'it was killed at its first results');
  user.start('worker', '-j2');
  t.is((await planned.finished).status, 0);
  await emptyQueue(scene.project);
  // What was begun beside the one that was put had no result yet.
  t.true(repeated(await executions(user)).length <= 1);
  t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
});

test.serial(
  'a planner killed in the middle of storing its plan: planning again does it all',
  async (t) => {
    await using scene = await openScene();
    const { user } = scene;
    const planner = scene.start('plan', '--wait', 'jugfile.ts');
    await scene.said('in the middle of storing a plan', () => planner.process.kill('SIGKILL'));
    await once(planner.process, 'exit');
    user.start('worker', '-j2');
    t.deepEqual(
      (await statusOf(user)).runs.map((each) => each.state),
      ['planning'],
    );
    t.is((await user.run('plan', '--wait', 'jugfile.ts')).status, 0);
    t.deepEqual(repeated(await executions(user)), []);
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
  },
);

test.serial('a planner killed when it has recorded its run: workers do it all', async (t) => {
  await using scene = await openScene();
  const { user } = scene;
  const planner = scene.start('plan', '--wait', 'jugfile.ts');
  await eventually('the run to be recorded', async () => {
    const [run] = (await scene.project.runs.list()).filter((each) => !each.key.includes('.'));
    const record = run?.value && decodeRecord<RunRecord>(run.value, 'the run');
    return record?.plan !== undefined;
  });
  planner.process.kill('SIGKILL');
  user.start('worker', '-j2');
  t.is((await user.run('wait')).status, 0);
  t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
});

test.serial(
  'whoever dispatches is killed in the middle of publishing: another goes on',
  async (t) => {
    await using scene = await openScene();
    const { user, project } = scene;
    await user.run('plan', 'jugfile.ts');
    const first = scene.start('worker', '-j2');
    await eventually('it to dispatch', async () => (await holderPid(project)) === first.pid);
    await scene.said('in the middle of publishing', () => first.process.kill('SIGKILL'));
    const killedAt = performance.now();
    const second = user.start('worker', '-j2');
    await eventually('another to dispatch', async () => (await holderPid(project)) === second.pid);
    t.log(
      `another dispatched ${Math.round(performance.now() - killedAt)} ms after the kill; the lease is 1 s`,
    );
    t.is((await user.run('wait')).status, 0);
    await emptyQueue(project);
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
  },
);

test.serial(
  'whoever dispatches stands still for several leases: another goes on, and it does no harm',
  async (t) => {
    await using scene = await openScene();
    const { user, project } = scene;
    await user.run('plan', 'jugfile.ts');
    const first = scene.start('worker', '-j2');
    await scene.said('in the middle of publishing', () => first.process.kill('SIGSTOP'));
    const second = user.start('worker', '-j2');
    await eventually('another to dispatch', async () => (await holderPid(project)) === second.pid);
    const epoch = (await project.leases.get('dispatcher'))?.revision ?? 0;
    first.process.kill('SIGCONT');
    t.is((await user.run('wait')).status, 0);
    await emptyQueue(project);
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
    const [run] = (await project.runs.list()).filter((each) => !each.key.includes('.'));
    const record = run?.value && decodeRecord<RunRecord>(run.value, 'the run');
    t.true((record?.epoch ?? 0) > 0 && epoch > 0);
    t.is(record?.state, 'finished');
  },
);

test.serial(
  'a worker that stands still in a task for longer than the ack wait: another runs it, the first result counts',
  async (t) => {
    await using scene = await openScene();
    const { user, project } = scene;
    await user.write(
      'jugfile.ts',
      `import { appendFileSync } from 'node:fs';
     import { setTimeout as delay } from 'node:timers/promises';
     import { task } from 'jugq';
     export const end = task(async function once() {
       appendFileSync('ran.log', process.pid + '\\n');
       await delay(300);
       return process.pid;
     })();`,
    );
    await user.run('plan', 'jugfile.ts');
    const first = scene.start('worker', '-j1');
    await eventually('it to begin', async () => (await executions(user)).length === 1);
    first.process.kill('SIGSTOP');
    const second = user.start('worker', '-j1');
    t.is((await user.run('wait')).status, 0);
    first.process.kill('SIGCONT');
    await emptyQueue(project);
    const { notes } = await eventually('the difference to be told', async () => {
      const status = await statusOf(user);
      return status.notes.some((each) => each.includes('deterministic')) && status;
    });
    t.regex(
      notes.join('\n'),
      /^once\.\w{32} gave another result when run again; .* is once deterministic\?$/m,
    );
    const pids = (await executions(user)).map(Number);
    t.is(pids.length, 2);
    t.not(pids[1], first.pid);
    t.not(second.pid, first.pid);
    t.is((await user.run('get', 'jugfile.ts', 'end')).stdout.trim(), String(pids[1]));
  },
);

test.serial('a worker whose link is half open: notices it and goes on', async (t) => {
  await using scene = await openScene();
  const { user, project, proxy } = scene;
  await user.run('plan', 'jugfile.ts');
  const worker = scene.start('worker', '-j2');
  await eventually('some results', async () => (await executions(user)).length > 3);
  proxy.mute();
  await worker.printed('lost the connection');
  t.is((await user.run('wait')).status, 0);
  await emptyQueue(project);
  t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
});

for (const emptyStore of [false, true]) {
  test.serial(
    `the server is killed in the middle and comes back ${emptyStore ? 'with an empty store: the waiting planner plans again' : 'with its data: nothing is lost'}`,
    async (t) => {
      await using scene = await openScene();
      const { user, project } = scene;
      const planned = user.start('plan', '--wait', 'jugfile.ts');
      user.start('worker', '-j2');
      await eventually('some results', async () => (await executions(user)).length > 8);
      await server.kill('SIGKILL');
      await server.restart({ emptyStore });
      const { status, stderr } = await planned.finished;
      t.is(status, 0, stderr);
      if (emptyStore) t.regex(stderr, /the server came back without the run: planning it again/);
      await emptyQueue(project);
      t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
    },
  );
}

test.serial(
  'the server loses its store while nobody waits: workers and status say so, planning again computes all of it',
  async (t) => {
    await using scene = await openScene();
    const { user } = scene;
    await user.run('plan', 'jugfile.ts');
    const worker = user.start('worker', '-j2');
    await eventually('some results', async () => (await executions(user)).length > 3);
    // By less than that the clocks of a worker and of a server may differ.
    await delay(11_000);
    await server.kill('SIGKILL');
    await server.restart({ emptyStore: true });
    await worker.printed(/came back without what it had: .* plan the jugfiles again.*always safe/);
    // Known from a worker that is older than the store: its first record there may take a moment.
    await eventually('status to say so', async () => {
      const { notes } = await statusOf(user);
      return /^the server has lost what it had: .* always safe/m.test(notes.join('\n'));
    });
    const { status, stderr } = await user.run('plan', '--wait', 'jugfile.ts');
    t.is(status, 0, stderr);
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
  },
);

test.serial(
  'the queue is deleted in the middle: made again, and everything is queued anew',
  async (t) => {
    await using scene = await openScene();
    const { user, project } = scene;
    const planned = user.start('plan', '--wait', 'jugfile.ts');
    user.start('worker', '-j2');
    await eventually('some results', async () => (await executions(user)).length > 3);
    await project.manager.streams.delete(project.names.tasks);
    t.is((await planned.finished).status, 0);
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
  },
);

for (const bucket of ['results', 'failures', 'runs', 'leases', 'workers'] as const) {
  test.serial(
    `the bucket ${bucket} is deleted in the middle: planning again does the rest`,
    async (t) => {
      await using scene = await openScene();
      const { user, project } = scene;
      await user.run('plan', 'jugfile.ts');
      user.start('worker', '-j2');
      await eventually('some results', async () => (await executions(user)).length > 3);
      await project.manager.streams.delete(`KV_${project.names[bucket]}`);
      const { status, stderr } = await user.run('plan', '--wait', 'jugfile.ts');
      t.is(status, 0, stderr);
      t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), total);
    },
  );
}
