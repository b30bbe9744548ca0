/** Where a result came from: gathers what is known of a task. */
import { inspect } from 'node:util';
import type { OpenProject } from '../broker/project.ts';
import { madeByCode } from '../broker/result-facts.ts';
import { decodeArguments } from '../core/codec.ts';
import { invariant } from '../core/errors.ts';
import { argumentsOf, functionOf, idOf, row, type Graph } from '../core/graph.ts';
import { splitTaskId } from '../core/identifiers.ts';
import { isFile, isLazy, type Reference, type StepReference } from '../core/references.ts';
import { fill, TaskPlace } from './find-result.ts';
import type { DeclaredTask, FoundTask } from './find-task.ts';
import { toJsonValue } from './json-value.ts';
import type {
  DependencyDescription,
  FailureDescription,
  ResultDescription,
  TaskDescription,
} from './library-types.ts';
import { learnAlone, learnStandings, type Standing } from './task-standings.ts';

/** How much of the tree of dependencies is told. */
export interface DescribeLimits {
  /** Steps down from the task; 0: none of its dependencies. */
  readonly depth: number;
  /** Dependencies of each task. */
  readonly width: number;
}

/** Larger arguments are not decoded into JSON. */
const argumentBytesMax = 64 * 1024;

/** Describes one task. */
export async function describeTask(
  project: OpenProject,
  found: FoundTask,
  limits: DescribeLimits,
): Promise<TaskDescription> {
  const { id, declared } = found;
  const functionName = splitTaskId(id).functionName;
  if (declared === undefined) {
    const standing = await learnAlone(project, id);
    const code = 'unknown';
    return { ...own(id, functionName, standing), code, dependencies: [], more: 0 };
  }
  const { graph, position, record } = declared;
  const standings = await learnStandings(project, graph, position, {
    ...limits,
    cancelling: record?.cancelling ?? [],
  });
  const standing = standings.get(position) ?? { state: 'waiting' };
  const made = madeByCode(standing.result?.facts);
  const now = functionOf(graph, position).fingerprint;
  const isUnknown = made === undefined || now === '';
  const tree = new Tree(graph, standings, limits);
  return {
    ...own(id, functionName, standing),
    ...(record === undefined ? {} : { run: record.id, jugfile: record.jugfile }),
    ...(await describeArguments(project, declared)),
    code: isUnknown ? 'unknown' : made === now ? 'same' : 'other',
    dependencies: tree.below(position, limits.depth),
    more: tree.leftOut(position),
  };
}

function own(
  task: string,
  functionName: string,
  { state, result, failure }: Standing,
): Pick<TaskDescription, 'task' | 'function' | 'state' | 'result' | 'failure'> {
  return {
    task,
    function: functionName,
    state,
    ...(result === undefined ? {} : { result: describeResult(result) }),
    ...(failure === undefined ? {} : { failure: describeFailure(failure) }),
  };
}

function describeResult(result: NonNullable<Standing['result']>): ResultDescription {
  const { facts, at, bytes, large } = result;
  return {
    at,
    worker: facts?.worker ?? '',
    ms: facts?.ms ?? 0,
    attempt: facts?.attempt ?? 0,
    fingerprint: facts?.fingerprint ?? '',
    bytes,
    large,
  };
}

function describeFailure(failure: NonNullable<Standing['failure']>): FailureDescription {
  const { attempt, worker, at, kind, error } = failure;
  return { ...error, attempt, worker, at, final: kind === 'final' };
}

/** The arguments of a task, for programs and for people. */
export async function describeArguments(
  project: OpenProject,
  { graph, position, spilled }: Pick<DeclaredTask, 'graph' | 'position' | 'spilled'>,
): Promise<Pick<TaskDescription, 'arguments' | 'argumentsText'>> {
  const elsewhere = spilled.get(position);
  const bytes =
    elsewhere === undefined
      ? argumentsOf(graph, position)
      : await project.blobs.get(elsewhere.blob);
  if (bytes === undefined || bytes.length === 0) return {};
  const args = decodeReferences(graph, position, bytes);
  const argumentsText = args.map(inspectCut).join(', ');
  if (bytes.length > argumentBytesMax) return { argumentsText };
  const json = args.map(
    (each) =>
      toJsonValue(fill(each, (place) => (place instanceof TaskPlace ? { task: place.id } : place)))
        .json,
  );
  return { arguments: json, argumentsText };
}

/**
 * The arguments of a task, with a place for each task and the name of each function in them; a part of a task is
 * `{ part: [task, …steps] }`.
 */
export function decodeReferences(graph: Graph, task: number, bytes: Uint8Array): unknown[] {
  const dependencies = row(graph.dependencies, task);
  const shown = (reference: Reference): unknown => {
    if (typeof reference === 'string') return reference;
    if (typeof reference === 'number') {
      const dependency = dependencies[reference];
      invariant(dependency !== undefined, 'a reference is to a dependency');
      return new TaskPlace(idOf(graph, dependency));
    }
    if (isFile(reference)) return { file: reference.path, digest: reference.file };
    if (isLazy(reference)) return { lazy: shown(reference.lazy) };
    return { part: [shown(reference.of), ...reference.steps.map(shownStep)] };
  };
  const shownStep = (step: StepReference): unknown => {
    if (typeof step !== 'object') return step;
    if ('by' in step) return shown(step.by);
    return 'item' in step ? step.item : { call: step.call };
  };
  return decodeArguments(bytes, shown);
}

function inspectCut(value: unknown): string {
  return inspect(value, {
    depth: 3,
    maxArrayLength: 6,
    maxStringLength: 120,
    breakLength: Infinity,
    compact: true,
  });
}

/** The dependencies of a task; one that several tasks take is unfolded where it comes first. */
class Tree {
  readonly #graph: Graph;
  readonly #standings: ReadonlyMap<number, Standing>;
  readonly #limits: DescribeLimits;
  readonly #seen = new Set<number>();

  constructor(graph: Graph, standings: ReadonlyMap<number, Standing>, limits: DescribeLimits) {
    this.#graph = graph;
    this.#standings = standings;
    this.#limits = limits;
  }

  below(task: number, depth: number): DependencyDescription[] {
    if (depth === 0) return [];
    const shown = row(this.#graph.dependencies, task).subarray(0, this.#limits.width);
    return [...shown].map((each) => this.#describe(each, depth));
  }

  /** How many dependencies `below` does not show. */
  leftOut(task: number): number {
    return Math.max(0, row(this.#graph.dependencies, task).length - this.#limits.width);
  }

  #describe(task: number, depth: number): DependencyDescription {
    const { state = 'waiting', result } = this.#standings.get(task) ?? {};
    const unfolds = depth > 1 && !this.#seen.has(task);
    this.#seen.add(task);
    const facts = result?.facts;
    return {
      task: idOf(this.#graph, task),
      state,
      ...(facts === undefined ? {} : { worker: facts.worker, ms: facts.ms }),
      ...(unfolds ? { dependencies: this.below(task, depth - 1) } : {}),
      more: this.leftOut(task),
    };
  }
}
