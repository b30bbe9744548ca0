/** What people do to a project, and what befalls its server: planning, invalidating, deleting, cancelling, losses. */
import type { RunId, TaskId } from '../../../core/identifiers.ts';
import { conclusion } from '../../../core/run-outlook.ts';
import type { KnownResult } from '../../../core/known-results.ts';
import { startRun } from '../../../core/run-progress.ts';
import type { Plan } from '../../../core/plan-format.ts';
import { idOf } from '../../../core/graph.ts';
import { pastOf } from './known-results.ts';
import type { Steps } from './scheduler.ts';
import { downstreamOf, planOf, upstreamOf } from './universe.ts';
import type { Invalidation, World } from './world.ts';

/** What plans have been made of so far. */
export interface Planning {
  runs: number;
  codes: number;
}

/** A plan of some of the tasks: mended code or the same as before. */
export function planSome(world: World, planning: Planning): Plan {
  const { random, universe } = world;
  const wanted = universe.tasks.flatMap((_, at) => (random.chance(0.5) ? [at] : []));
  if (planning.codes === 0 || random.chance(0.5)) planning.codes++;
  return planOf(universe, upstreamOf(universe, wanted), {
    code: `code${planning.codes.toString()}`,
    retries: random.below(3),
    queue: random.chance(0.1) ? 'other' : 'default',
  });
}

/** A plan of all tasks with code that no plan had before. */
export function planAll(world: World, planning: Planning): Plan {
  const all = world.universe.tasks.map((_, at) => at);
  planning.codes++;
  const code = `code${planning.codes.toString()}`;
  return planOf(world.universe, all, { code, retries: 1, queue: 'default' });
}

/** Submits a run as a planner does: learns what is there, clears failures, and writes the record at the end. */
export function* submit(
  world: World,
  planning: Planning,
  plan: Plan,
  onRecorded: (id: RunId) => void = () => undefined,
): Steps {
  const id = `01SIMULATED${(++planning.runs).toString().padStart(15, '0')}` as RunId;
  world.note?.(undefined, `run ${id} is being planned with ${plan.code}`);
  const basis = yield* world.send(() => world.results.lastRevision);
  const known: KnownResult[] = [];
  const failed = new Map<TaskId, number>();
  const failureSeen = world.failures.lastRevision;
  for (let task = 0; task < plan.graph.count; task++) {
    const key = idOf(plan.graph, task);
    const entry = world.results.get(key);
    if (entry) known.push({ task, revision: entry.revision, present: entry.value !== undefined });
    const failure = world.failures.get(key);
    if (failure?.value !== undefined) failed.set(key, failure.revision);
    if (world.random.chance(0.1)) yield world.random.between(1, 20);
  }
  const progress = startRun({ id, plan, basis }, known, [], () => 1);
  const stored = { ...plan, past: pastOf(world, basis, known) };
  for (const [key, revision] of failed) {
    yield* world.send(() => world.failures.put(key, undefined, revision));
    world.note?.(key, `its failure ${revision.toString()} is cleared for run ${id}`);
  }
  const state = conclusion(progress) === undefined ? ('running' as const) : ('finished' as const);
  yield* world.send(() => {
    const { results, failures } = world;
    if (world.runs.put(id, { state, plan: stored, basis, epoch: 0 }, 0) === undefined) return;
    world.startedAt.set(id, { results: results.lastRevision, failures: failures.lastRevision });
    if (state === 'finished') world.failuresAtEnd.set(id, failureSeen);
  });
  world.note?.(undefined, `run ${id} is ${state}`);
  onRecorded(id);
}

/** One act of an operator, or of fate. */
export function* actOnce(world: World, planning: Planning): Steps {
  const { random, universe, weather, results } = world;
  const someTask = (): number => random.below(universe.tasks.length);
  switch (random.chance(0.5) ? weather.favouriteAct : random.below(8)) {
    case 0:
    case 1:
      return yield* submit(world, planning, planSome(world, planning));
    case 2:
    case 3: {
      const at = someTask();
      if (!weather.losesResults) return yield* invalidate(world, at);
      world.note?.(undefined, 'the server loses the results');
      results.lose();
      return;
    }
    case 4: {
      const id = universe.tasks[someTask()]?.id;
      if (id === undefined || results.get(id)?.value === undefined) return;
      const revision = results.put(id, undefined);
      world.note?.(id, `a user deletes the result: ${String(revision)}`);
      return;
    }
    case 5: {
      const running = world.runs
        .all()
        .filter(({ key, value }) => value?.state === 'running' && !key.includes('.'));
      const run = running[random.below(Math.max(1, running.length))];
      if (run?.value === undefined || random.chance(0.5)) return;
      world.note?.(undefined, `run ${run.key} is to be cancelled`);
      world.runs.put(`${run.key}.cancel`, run.value);
      return;
    }
    case 6:
      world.note?.(undefined, 'the server loses the queue');
      world.queue.lose();
      return;
    case 7:
      world.isFull = true;
      yield random.between(50, 3000);
      world.isFull = false;
      return;
  }
}

/** The outer world of a task has changed: its result and all that depend on it go, dependencies first. */
export function* invalidate(world: World, at: number): Steps {
  const { random, universe, results } = world;
  universe.versions[at] = (universe.versions[at] ?? 0) + 1;
  const marks: Invalidation = new Map();
  world.invalidations.push(marks);
  for (const position of downstreamOf(universe, at)) {
    const id = universe.tasks[position]?.id;
    if (id === undefined) continue;
    const revision = yield* world.send(() => results.put(id, undefined));
    world.note?.(id, `is invalidated: ${String(revision)}`);
    if (revision !== undefined) marks.set(id, revision);
    if (world.isCalm) world.marksInCalm++;
    yield random.between(0, 20);
  }
}
