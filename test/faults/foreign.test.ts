/** Records that a newer version of jugq, or another tool, has put among ours: told of, and nothing comes to a halt. */
import test from 'ava';
import type { TaskId } from '../../core/identifiers.ts';
import { encodeRecord, type RunRecord } from '../../core/records.ts';
import { decodeRun } from '../../broker/run-records.ts';
import { taskSubject } from '../../broker/topology.ts';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { startTrial } from '../kit/trial.ts';
import { statusOf } from './looks.ts';
import { openProjectOf, type OpenedProject } from './open-project.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const newer = bytes('{"format":9,"state":"finished","kind":"final"}');
/** A run that nobody here has planned. */
const strange = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

async function idsOf(user: UserDirectory, functionName: string): Promise<TaskId[]> {
  const { tasks } = await user.json<{ tasks: { task: TaskId }[] }>(
    ...['plan', '--dry-run', '--json', 'jugfile.ts'],
  );
  return tasks.map(({ task }) => task).filter((each) => each.startsWith(`${functionName}.`));
}

/** Puts what cannot be read wherever jugq reads. */
async function litter(project: OpenedProject, ids: readonly TaskId[]): Promise<void> {
  const [first = '', second = '', third = ''] = ids;
  const garbage = ['what?', '', '[1]', 'null', '{"format":1}', '{"format":9}'];
  for (const [n, text] of garbage.entries()) {
    await project.workers.put(`strange-${n}`, bytes(text));
    await project.runs.put(`01ARZ3NDEKTSV4RRFFQ69G5FA${n}`, bytes(text));
    await project.runs.put(`strange-${n}.cancel`, bytes(text));
    await project.runs.put(`strange-${n}.cancel-tasks`, bytes(text));
    await project.failures.put(`strange-${n}`, bytes(text));
    await project.failures.put(`${first}.difference`, bytes(text));
  }
  await project.runs.put('strange.cancel-tasks', bytes('{"format":1,"patterns":["/(/"]}'));
  await project.runs.put(strange, newer);
  await project.failures.put(first, newer);
  await project.failures.put(second, bytes('what?'));
  await project.failures.put(third, bytes('{"format":1,"kind":"final"}'));
  project.connection.publish(`$KV.${project.names.results}.hello`, bytes('world'));
  for (const id of ids.slice(3, 5)) {
    project.connection.publish(taskSubject(project.names, 'default', id), bytes('what?'));
  }
  await project.connection.flush();
}

test.serial(
  'garbage and newer records in every bucket: told of once each, and the run is done',
  async (t) => {
    await using user = await projectOn(server, 'gated');
    await using project = await openProjectOf(user, server);
    const ids = await idsOf(user, 'gated');
    await user.write('open', '');
    const worker = user.start('worker', '-j2');
    await worker.printed('worker ');
    await litter(project, [...ids, ...(await idsOf(user, 'sum'))]);
    const { status, stdout, stderr } = await user.run('plan', '--wait', 'jugfile.ts');
    t.is(status, 0, stdout + stderr + worker.output());
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), '10');
    await eventually(
      'the queue to be empty',
      async () => (await project.queue.list()).length === 0,
    );
    for (const command of ['status', 'failures', 'status --stale', 'check jugfile.ts', 'du']) {
      const shown = await user.run(...command.split(' '));
      t.is(shown.status, 0, `${command}: ${shown.stderr}`);
    }
    const told = worker.output().split('\n');
    const ofRun = told.filter((line) => line.includes(`the record of run ${strange} has format 9`));
    t.is(ofRun.length, 1, worker.output());
    t.regex(ofRun[0] ?? '', /run the same version of jugq on all machines/);
    t.is(worker.process.exitCode, null);
    t.notRegex(worker.output(), /Error|at .*\.js:/);
    const ours = await user.run('status');
    t.regex(ours.stderr, /strange-0 is not readable.*not written by jugq.*remove it/);
  },
);

test.serial('a lease that cannot be read: taken over when it has run out', async (t) => {
  await using user = await projectOn(server, 'gated');
  await using project = await openProjectOf(user, server);
  await user.write('open', '');
  await project.leases.put('dispatcher', newer);
  user.start('worker', '-j2');
  t.is((await user.run('plan', '--wait', 'jugfile.ts')).status, 0);
});

test.serial('a task fails where a newer failure record stands: it is on record', async (t) => {
  await using user = await projectOn(server, 'gated');
  await using project = await openProjectOf(user, server);
  await user.write(
    'jugfile.ts',
    `import { task } from 'jugq';
     export const end = task(function fails(): number { throw new Error('no'); })();`,
  );
  const [id = ''] = await idsOf(user, 'fails');
  user.start('worker', '-j2');
  await user.run('plan', 'jugfile.ts');
  t.is((await user.run('wait')).status, 1);
  await project.failures.put(id, newer);
  // One that is planned again finds it, and one that is running when it comes meets it.
  t.is((await user.run('plan', '--wait', '--keep-failed', 'jugfile.ts')).status, 1);
  const { stdout } = await user.run('failures');
  t.regex(stdout, /Error: no/);
});

test.serial('a message of a newer format: left to who can read it, and told of', async (t) => {
  await using user = await projectOn(server, 'gated');
  await using project = await openProjectOf(user, server);
  await user.write('open', '');
  const [first = ''] = await idsOf(user, 'gated');
  const subject = taskSubject(project.names, 'default', first as TaskId);
  project.connection.publish(subject, Uint8Array.of(0x81, 9));
  await project.connection.flush();
  user.start('worker', '-j2');
  await user.run('plan', 'jugfile.ts');
  await eventually('the others to be done', async () => {
    const { totals, notes } = await statusOf(user);
    const isTold = notes.some((each) => /queue message has format 9.*same version/.test(each));
    return totals['finished'] === 3 && isTold;
  });
  t.is((await project.queue.list()).length, 1);
  t.is((await user.run('cancel')).status, 0);
});

test.serial('a record of a newer version: cleanup and invalidate touch nothing', async (t) => {
  await using user = await projectOn(server, 'gated');
  await using project = await openProjectOf(user, server);
  await user.write('open', '');
  user.start('worker', '-j2');
  t.is((await user.run('plan', '--wait', 'jugfile.ts')).status, 0);
  await project.runs.put(strange, newer);
  for (const command of ['cleanup', 'invalidate gated']) {
    const { status, stderr } = await user.run(...command.split(' '));
    t.not(status, 0);
    t.regex(stderr, /the record of run \w+ has format 9, this jugq reads format 1: run the same/);
  }
  t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), '10');
});

for (const [what, plan, state] of [
  ['of a newer format', '{"format":9}', 'running'],
  ['that is none', 'what?', 'failed'],
] as const) {
  test.serial(`a plan ${what}: the run is ${state} and says why`, async (t) => {
    await using user = await projectOn(server, 'gated');
    await using project = await openProjectOf(user, server);
    await user.run('plan', 'jugfile.ts');
    const { runs } = await statusOf(user);
    const id = runs[0]?.id ?? '';
    await replacePlan(project, id, bytes(plan));
    user.start('worker', '-j2');
    await eventually('the reason to be told', async () => {
      const { runs: now, notes } = await statusOf(user);
      const isTold = notes.some((each) => each.includes(`plan of run ${id} cannot be used`));
      return isTold && now[0]?.state === state;
    });
    t.pass();
  });
}

async function replacePlan(project: OpenedProject, run: string, head: Uint8Array): Promise<void> {
  const entry = await project.runs.get(run);
  const record: RunRecord = decodeRun(entry?.value ?? new Uint8Array(), run);
  const plan = new Uint8Array(8 + Math.ceil(head.length / 8) * 8);
  new DataView(plan.buffer).setUint32(0, head.length, true);
  plan.set(head, 8);
  await project.plans.put(`${run}.other`, [plan]);
  const changed: RunRecord = { ...record, plan: `${run}.other` };
  await project.runs.put(run, encodeRecord(changed));
}

test.serial(
  'a run of a newer version: each dispatcher lets others have the lease once, then goes on with what it knows',
  async (t) => {
    await using trial = await startTrial();
    await trial.project.runs.put(strange, bytes('{"format":9,"state":"running"}'));
    trial.startDispatcher();
    trial.startDispatcher();
    await trial.startWorker();
    const submitted = await trial.submit(
      `import { task } from 'jugq';
       export const end = task(function one(): number { return 1; })();`,
    );
    t.is((await trial.end(submitted)).state, 'finished');
    const acquired = trial.events.filter((each) => each.kind === 'lease-acquired').length;
    const lost = trial.events.filter((each) => each.kind === 'lease-lost').length;
    t.is(lost, 2);
    t.is(acquired, 3);
  },
);
