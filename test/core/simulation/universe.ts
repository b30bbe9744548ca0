/** The tasks that a simulation is about: their dependencies, what becomes of them when run, and plans of them. */
import { toBase32 } from '../../../core/base32.ts';
import type { FunctionFacts, Graph } from '../../../core/graph.ts';
import { hashBytes, wordsPerHash } from '../../../core/hash-index.ts';
import { taskId, type TaskId } from '../../../core/identifiers.ts';
import type { Plan } from '../../../core/plan-format.ts';
import type { Random } from './random.ts';

/**
 * `flaky` fails now and then, `broken` always, `brittle` with half of all inputs; `poison` kills the process that runs
 * it.
 */
export type Nature = 'good' | 'flaky' | 'broken' | 'brittle' | 'poison';

export interface UniverseTask {
  readonly id: TaskId;
  readonly hash: Uint32Array;
  readonly fn: number;
  /** Positions of tasks before it. */
  readonly dependencies: readonly number[];
  readonly nature: Nature;
}

export interface UniverseFunction {
  readonly name: string;
  /** Its tasks take well under a millisecond, so that they travel in parcels. */
  readonly quick: boolean;
}

export interface Universe {
  readonly functions: readonly UniverseFunction[];
  readonly tasks: readonly UniverseTask[];
  readonly positions: ReadonlyMap<TaskId, number>;
  readonly dependents: readonly (readonly number[])[];
  /** What the outer world looks like to each task: a new version asks for `invalidate`. */
  readonly versions: number[];
}

const shapes = ['random', 'chain', 'tree', 'fan-in', 'flood', 'layers'] as const;

/** Makes up tasks. */
export function makeUniverse(random: Random): Universe {
  const functions = Array.from({ length: random.between(1, 3) }, (_, at) => ({
    name: `f${at.toString()}`,
    quick: random.chance(0.5),
  }));
  const shape = random.pick(shapes);
  const count = random.between(2, random.chance(0.2) ? 30 : 12);
  const failing = random.chance(0.6) ? 0 : 0.25;
  const tasks = Array.from({ length: count }, (_, at): UniverseTask => {
    const hash = Uint32Array.from({ length: wordsPerHash }, () => random.below(2 ** 32));
    const fn = random.below(functions.length);
    const name = functions[fn]?.name ?? '';
    return {
      id: taskId(name, toBase32(new Uint8Array(hash.buffer, 0, hashBytes))),
      hash,
      fn,
      dependencies: dependenciesOf(shape, { at, count }, random),
      nature: random.chance(failing)
        ? random.pick(['flaky', 'broken', 'brittle', 'poison'])
        : 'good',
    };
  });
  const dependents: number[][] = tasks.map(() => []);
  tasks.forEach((task, at) => {
    for (const dependency of task.dependencies) dependents[dependency]?.push(at);
  });
  return {
    functions,
    tasks,
    positions: new Map(tasks.map((task, at) => [task.id, at])),
    dependents,
    versions: tasks.map(() => 0),
  };
}

function dependenciesOf(
  shape: (typeof shapes)[number],
  { at, count }: { at: number; count: number },
  random: Random,
): number[] {
  if (at === 0) return [];
  switch (shape) {
    case 'chain':
      return [at - 1];
    case 'tree':
      return [(at - 1) >> 1];
    case 'flood':
      return [];
    case 'fan-in':
      return at === count - 1 ? Array.from({ length: at }, (_, before) => before) : [];
    case 'layers': {
      const width = 4;
      const layer = Math.floor(at / width) * width;
      return layer === 0
        ? []
        : [0, 1, 2, 3].filter(() => random.chance(0.7)).map((each) => layer - width + each);
    }
    case 'random': {
      const chosen = new Set<number>();
      for (let more = random.between(0, 3); more > 0; more--) chosen.add(random.below(at));
      return [...chosen].sort((a, b) => a - b);
    }
  }
}

/** The task and everything that depends on it, dependencies first. */
export function downstreamOf(universe: Universe, from: number): number[] {
  const reached = new Set([from]);
  for (let at = from; at < universe.tasks.length; at++) {
    if (reached.has(at))
      for (const dependent of universe.dependents[at] ?? []) reached.add(dependent);
  }
  return [...reached].sort((a, b) => a - b);
}

/** The tasks and everything that they depend on, in the order of declaration. */
export function upstreamOf(universe: Universe, wanted: Iterable<number>): number[] {
  const reached = new Set(wanted);
  for (let at = universe.tasks.length - 1; at >= 0; at--) {
    if (!reached.has(at)) continue;
    for (const dependency of universe.tasks[at]?.dependencies ?? []) reached.add(dependency);
  }
  return [...reached].sort((a, b) => a - b);
}

/** A plan that declares the given tasks, which must hold their dependencies and be in order. */
export function planOf(
  universe: Universe,
  members: readonly number[],
  facts: { readonly code: string; readonly retries: number; readonly queue: string },
): Plan {
  const place = new Map(members.map((each, at) => [each, at]));
  const start = [0];
  const items: number[] = [];
  const hashes = new Uint32Array(members.length * wordsPerHash);
  members.forEach((each, at) => {
    const task = universe.tasks[each];
    if (task === undefined) return;
    hashes.set(task.hash, at * wordsPerHash);
    for (const dependency of task.dependencies) items.push(place.get(dependency) ?? -1);
    start.push(items.length);
  });
  const functions = universe.functions.map(({ name }): FunctionFacts => ({
    name,
    queue: facts.queue,
    retries: facts.retries,
    fingerprint: facts.code,
  }));
  const graph: Graph = {
    count: members.length,
    functions,
    hashes,
    functionOf: Uint32Array.from(members, (each) => universe.tasks[each]?.fn ?? 0),
    dependencies: { start: Uint32Array.from(start), items: Uint32Array.from(items) },
    argumentStart: new Uint32Array(members.length + 1),
    argumentBytes: new Uint8Array(),
  };
  return { graph, code: facts.code, spilled: new Map(), open: [], kept: [], waits: [] };
}

/**
 * What a task returns, given what its dependencies returned and what it saw of the outer world.
 *
 * @returns undefined: it throws
 */
export function valueOf(
  task: UniverseTask,
  version: number,
  inputs: readonly number[],
): number | undefined {
  let mixed = (task.hash[0] ?? 0) ^ Math.imul(version + 1, 0x85ebca6b);
  for (const input of inputs) mixed = Math.imul(mixed ^ input, 0xc2b2ae35) ^ (mixed >>> 13);
  const isBroken = task.nature === 'broken' || (task.nature === 'brittle' && (mixed & 1024) === 0);
  return isBroken ? undefined : mixed >>> 0;
}

/** What a sequential run gives: values of the tasks that have one, and which tasks fail by themselves. */
export function evaluate(universe: Universe): {
  values: Map<number, number>;
  failing: Set<number>;
} {
  const values = new Map<number, number>();
  const failing = new Set<number>();
  universe.tasks.forEach((task, at) => {
    const inputs: number[] = [];
    for (const dependency of task.dependencies) {
      const input = values.get(dependency);
      if (input === undefined) return;
      inputs.push(input);
    }
    const value = valueOf(task, universe.versions[at] ?? 0, inputs);
    if (value === undefined || task.nature === 'poison') failing.add(at);
    else values.set(at, value);
  });
  return { values, failing };
}
