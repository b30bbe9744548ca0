/** Waiting with a parked jugfile, as far as no server is needed for it. */
import test from 'ava';
import type { OpenProject } from '../../broker/project.ts';
import { untilWhole } from '../../cli/await-jugfile.ts';
import type { OpenJugfile } from '../../cli/load-jugfile.ts';
import { planFor } from '../core/small-plans.ts';

test('a wait for many tasks: none is looked for among all the others', async (t) => {
  const tasks = Object.assign(
    Array.from({ length: 1000 }, (_, at) => at),
    { includes: () => t.fail('for each of a million tasks, that takes minutes') },
  );
  const project = {
    results: {
      lastRevision: () => Promise.resolve(0),
      follow: () => ({ stop: () => undefined }),
      known: () => Promise.resolve(tasks.map((task) => ({ task, revision: 1, present: true }))),
    },
    runs: { list: () => Promise.resolve([]) },
  } as unknown as OpenProject;
  const { graph } = planFor({ 'f a': [] });
  const parked = { path: 'j.ts', args: [], graph, waits: [{ place: 'j.ts:1:1', tasks }] };
  const whole = { ...parked, graph: { ...graph, count: 2 }, waits: [] };
  const jugfile = {
    loaded: parked,
    advance: () => {
      jugfile.loaded = whole;
      return Promise.resolve(whole);
    },
  };
  t.is(await untilWhole(project, jugfile as unknown as OpenJugfile), whole as never);
});
