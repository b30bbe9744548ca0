/** Tasks that take more others than a message can name, as a user has them. */
import test from 'ava';
import { listObjects } from '../../broker/object-list.ts';
import type { UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';
import { openProjectOf, type OpenedProject } from '../faults/open-project.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const jugfile = (inputs: number, options: string): string =>
  `import { task } from 'jugq';
   const one = task(function one(x: number): number { return x; });
   const sum = task(function sum(all: number[]): number {
     return all.reduce((total, each) => total + each, 0);
   }, ${options});
   export const total = sum(Array.from({ length: ${inputs} }, (_, x) => one(x)));`;

/** The clock of this command is two hours ahead. */
const later = {
  NODE_OPTIONS: '--import=data:text/javascript,const%20now=Date.now;Date.now=()=>now()+7_200_000',
};

async function lists(project: OpenedProject): Promise<string[]> {
  const objects = await listObjects(project, project.names.blobs);
  return objects.map(({ name }) => name).filter((name) => name.startsWith('inputs.'));
}

async function blobsRemoved(user: UserDirectory): Promise<unknown> {
  const { stdout } = await user.startWith(later, 'cleanup', '--json').finished;
  return (JSON.parse(stdout) as { blobs: unknown }).blobs;
}

test.serial(
  'a task that takes 30,000 others: the list of them travels outside the message',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    await using project = await openProjectOf(user, server);
    await user.write('jugfile.ts', jugfile(30_000, '{}'));
    const { status, stderr } = await user.run('run', '-j2', 'jugfile.ts');
    t.is(status, 0, stderr);
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), '449985000');
    t.is((await lists(project)).length, 1);
    const use = await user.json<{ arguments: { objects: number } }>('du', '--json');
    // The task's own arguments, which refer to 30,000 places, and its list of inputs.
    t.is(use.arguments.objects, 2);
    t.is(await blobsRemoved(user), 1);
    t.deepEqual(await lists(project), []);
  },
);

test.serial(
  'a list of inputs is spared while its task is queued; one that is gone is made anew',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    await using project = await openProjectOf(user, server);
    await user.write('jugfile.ts', jugfile(8000, `{ queue: 'large' }`));
    user.start('worker', '-j2');
    await user.run('plan', 'jugfile.ts');
    await eventually('the sum to be queued', async () =>
      (await project.queue.list()).some((each) => each.queue === 'large'),
    );
    t.is(await blobsRemoved(user), 0);
    const [list = ''] = await lists(project);
    await project.blobs.delete(list);
    user.start('worker', '-j1', '--queue', 'large');
    t.is((await user.run('wait')).status, 0);
    t.is((await user.run('get', 'jugfile.ts', 'total')).stdout.trim(), '31996000');
    t.is((await lists(project)).length, 1);
  },
);
