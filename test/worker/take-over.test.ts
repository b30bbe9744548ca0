import test from 'ava';
import { functionOf } from '../../core/graph.ts';
import { eventually } from '../kit/eventually.ts';
import { startTrial } from '../kit/trial.ts';

test('a dispatcher that begins with a run half done: knows how long its functions take', async (t) => {
  await using trial = await startTrial();
  const { project } = trial;
  const run = await trial.submit(`
    import { task } from 'jugq';
    const quick = task(function quick(x: number) { return x; });
    for (let x = 0; x < 300; x++) quick(x);
  `);
  const { fingerprint } = functionOf(run.loaded.graph, 0);
  const facts = { worker: 'w', ms: 0.1, attempt: 1, digest: 'd', fingerprint };
  for (const id of trial.ids(run, 'quick').slice(0, 20)) {
    project.results.put({ id, facts, expects: 0, value: new Uint8Array([1]) }, () => undefined);
  }
  await project.publisher.drained();
  trial.startDispatcher();
  const parcels = await eventually('parcels', async () => {
    const read = await Promise.all(
      (await project.queue.list()).map((each) => project.queue.read(each)),
    );
    const sizes = read.map((each) => each?.parcel.tasks.length ?? 0);
    return sizes.reduce((a, b) => a + b, 0) === 280 && read;
  });
  t.true(parcels.some((each) => (each?.parcel.tasks.length ?? 0) > 10));
  t.true(parcels.every((each) => each?.parcel.quick));
});
