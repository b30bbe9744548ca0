/** What is learnt from a cluster right after it was written, whichever of its servers is asked. */
import test from 'ava';
import { idOf } from '../../core/graph.ts';
import { encodeValue } from '../../core/codec.ts';
import { startCluster } from '../kit/cluster.ts';
import { graphOf } from '../kit/graphs.ts';
import { factsWith, openTestProject } from '../kit/project.ts';

for (const [way, tasks, others] of [
  ['asking', 40, 2000],
  ['scanning', 400, 0],
] as const) {
  test.serial(`replicas: known by ${way}: all that was there, from every server`, async (t) => {
    t.timeout(120_000);
    await using cluster = await startCluster(3);
    const graph = graphOf({ f: tasks });
    const [first = ''] = cluster.urls;
    await using writer = await openTestProject(first, { replicas: 3 });
    const put = (id: ReturnType<typeof idOf>): Promise<number> =>
      new Promise((resolve) => {
        const result = { id, value: encodeValue(1), facts: factsWith('d'), expects: 0 };
        writer.results.put(result, (outcome) => {
          resolve(outcome.kind === 'stored' ? outcome.sequence : 0);
        });
      });
    const noise = graphOf({ g: others });
    await Promise.all(Array.from({ length: others }, (_, task) => put(idOf(noise, task))));
    for (const url of cluster.urls) {
      await using reader = await openTestProject(url, { replicas: 3 });
      const position = cluster.urls.indexOf(url);
      const written = Array.from({ length: tasks / 4 }, (_, n) => position * (tasks / 4) + n);
      const revisions = await Promise.all(written.map((task) => put(idOf(graph, task))));
      // A replica that has not heard of the last ones yet must not be believed.
      const known = new Map(
        (await reader.results.known(graph)).map((each) => [each.task, each.revision]),
      );
      t.deepEqual(
        written.map((task) => known.get(task)),
        revisions,
      );
      t.is(known.size, (position + 1) * (tasks / 4));
    }
  });
}
