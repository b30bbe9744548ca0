/** How a simulated dispatcher learns what is there of a plan: from what its planner knew and what came since, or anew. */
import { idOf } from '../../../core/graph.ts';
import {
  knownIn,
  pastResults,
  type KnownResult,
  type PastResults,
} from '../../../core/known-results.ts';
import type { Plan } from '../../../core/plan-format.ts';
import type { SimulatedEntry } from './bucket.ts';
import type { Steps } from './scheduler.ts';
import type { SimulatedResult, World } from './world.ts';

const readAtOnce = 5;

/** What a planner keeps of what it knows; a store that was lost has another time at every place. */
export function pastOf(world: World, revision: number, known: readonly KnownResult[]): PastResults {
  return pastResults({ revision, storedAt: timeOf(world) }, known);
}

/** What is there of the tasks of a plan. Not a snapshot: what is read first may be older than what is read last. */
export function* learnResults(world: World, plan: Plan): Steps<KnownResult[]> {
  const { past } = plan;
  if (world.without === 'past' && past !== undefined) return [...knownIn(past)];
  const isStill = yield* world.ask(() => past?.upTo.storedAt === timeOf(world));
  // Where much came since, asking anew is cheaper.
  return past !== undefined && isStill && world.random.chance(0.7)
    ? yield* readSince(world, plan, past)
    : yield* readAll(world, plan);
}

function* readAll(world: World, { graph }: Plan): Steps<KnownResult[]> {
  const known: KnownResult[] = [];
  for (let task = 0; task < graph.count; task++) {
    const entry = world.results.get(idOf(graph, task));
    if (entry !== undefined) known.push(knownOf(task, entry));
    if (world.random.chance(0.2)) yield world.random.between(1, 50);
  }
  return known;
}

function* readSince(world: World, { graph }: Plan, past: PastResults): Steps<KnownResult[]> {
  const { random, results } = world;
  const known = new Map([...knownIn(past)].map((each) => [each.task, each]));
  const positions = new Map<string, number>();
  for (let task = 0; task < graph.count; task++) positions.set(idOf(graph, task), task);
  for (let from = past.upTo.revision + 1; ;) {
    const entries = results.read(from, readAtOnce, () => random.chance(0.5));
    for (const entry of entries) {
      from = entry.revision + 1;
      const task = positions.get(entry.key);
      if (task !== undefined) known.set(task, knownOf(task, entry));
    }
    if (entries.length < readAtOnce) return [...known.values()];
    yield random.between(1, 20);
  }
}

function knownOf(task: number, entry: SimulatedEntry<SimulatedResult>): KnownResult {
  return { task, revision: entry.revision, present: entry.value !== undefined };
}

function timeOf({ results }: World): string {
  return results.generation.toString();
}
