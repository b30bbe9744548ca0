import test from 'ava';
import type { OpenProject } from '../../broker/project.ts';
import { objectStream } from '../../broker/topology.ts';
import { encodeValue } from '../../core/codec.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { resultStore } from '../../worker/result-store.ts';
import { storeResult, type StoreContext } from '../../worker/store-outcome.ts';
import { Inputs } from '../../worker/inputs.ts';
import { decodeParcel } from '../../core/parcel.ts';
import { openTestProject, parcelFor } from '../kit/project.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;
let tasks = 0;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

/** Stores a result of two mebibytes, and takes the chunks of its blob away. */
async function damagedResult(project: OpenProject): Promise<TaskId> {
  const nothing = (): void => undefined;
  const context: StoreContext = {
    ...{ project, inputs: new Inputs(project), worker: 'w1', trace: nothing, onFull: nothing },
  };
  const parcel = decodeParcel(parcelFor('large', ++tasks));
  const [task] = parcel.tasks;
  if (task === undefined) throw new Error('a parcel has a task');
  const value = encodeValue('x'.repeat(2 * 1024 * 1024));
  await new Promise((stored) => {
    const outcome = { kind: 'done', ms: 1, value, digest: tasks.toString() } as const;
    storeResult(context, { parcel, task, failureRevision: 0 }, outcome, stored);
  });
  const stream = objectStream(project.names.blobs);
  await project.manager.streams.purge(stream, { filter: `$O.${project.names.blobs}.C.>` });
  return task.id;
}

test('a large result whose chunks are gone: it is not there, and is computed again', async (t) => {
  await using project = await openTestProject(server);
  const id = await damagedResult(project);
  t.deepEqual(await resultStore(project, 'planner').read([id]), [undefined]);
  t.false((await project.results.readLast(id))?.present);
});

test('piece by piece, too: whoever reads it is told, and then it is not there', async (t) => {
  await using project = await openTestProject(server);
  const id = await damagedResult(project);
  const { readPiece } = resultStore(project, 'planner');
  await t.throwsAsync(readPiece(id, undefined), { code: 'VALUE_CORRUPT' });
  t.false((await project.results.readLast(id))?.present);
  t.is(await readPiece(id, undefined), undefined);
});

test('whoever only looks leaves it as it is, and says how to be rid of it', async (t) => {
  await using project = await openTestProject(server);
  const id = await damagedResult(project);
  const stored = await project.results.readLast(id);
  if (stored === undefined) throw new Error('it was stored');
  const error = await t.throwsAsync(project.results.valueOf(stored), { code: 'VALUE_CORRUPT' });
  t.regex(error.message, new RegExp(`jugq invalidate ${id.replace('.', '\\.')}, then plan again`));
  t.true((await project.results.readLast(id))?.present);
});
