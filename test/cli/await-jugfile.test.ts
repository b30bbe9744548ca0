/** Waiting with a parked jugfile, as far as no server is needed for it. */
import test from 'ava';
import type { OpenProject } from '../../broker/project.ts';
import { untilWhole } from '../../cli/await-jugfile.ts';
import type { OpenJugfile } from '../../cli/load-jugfile.ts';
import { planFor } from '../core/small-plans.ts';

test('a wait for 300,000 tasks: as long as looking at each of them once', async (t) => {
  const tasks = Array.from({ length: 300_000 }, (_, at) => at);
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
  const before = performance.now();
  t.is(await untilWhole(project, jugfile as unknown as OpenJugfile), whole as never);
  // Looking each up among all the others takes many times as long.
  t.true(performance.now() - before < 5000);
});
