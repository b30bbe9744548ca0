import test from 'ava';
import { eventually } from '../kit/eventually.ts';
import { startedBy, startTrial } from '../kit/trial.ts';

const slow = `
  import { task } from 'jugq';
  const slow = task(function slow(x: number) {
    return new Promise((resolve) => setTimeout(() => resolve(x), 3000));
  });
  for (let x = 0; x < 2; x++) slow(x);
`;

test('planned again with more in the jugfile while tasks run: what has begun is not begun again', async (t) => {
  await using trial = await startTrial();
  const first = await trial.submit(slow);
  const worker = await trial.startWorker({ threads: 6 });
  trial.startDispatcher();
  await eventually('the tasks to begin', () => Promise.resolve(startedBy(worker).length === 2));
  const second = await trial.submit(
    `${slow} const other = task(function other() { return 1; }); other();`,
  );
  t.not(second.record.code, first.record.code);
  t.is((await trial.end(second)).state, 'finished');
  t.is((await trial.end(first)).state, 'finished');
  const ids = [...trial.ids(second, 'slow'), ...trial.ids(second, 'other')];
  t.deepEqual(startedBy(worker).toSorted(), ids.toSorted());
});
