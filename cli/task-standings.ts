/** How a task and what it depends on stand: by asking for these alone, however large their plan is. */
import { readFailure } from '../broker/failures.ts';
import type { OpenProject } from '../broker/project.ts';
import type { ResultFacts } from '../broker/result-facts.ts';
import { idOf, row, type Graph } from '../core/graph.ts';
import type { BlobReference } from '../core/parcel.ts';
import { isVoid, type CountedState, type FailureRecord } from '../core/records.ts';
import { unpack } from '../core/wire.ts';

/** What is known of one task. */
export interface Standing {
  readonly state: CountedState;
  readonly result?: StandingResult;
  /** Absent where there is a result, or where a later marker has made the record void. */
  readonly failure?: FailureRecord;
}

/** A result, without its value. */
export interface StandingResult {
  readonly facts: ResultFacts | undefined;
  /** ISO 8601. */
  readonly at: string;
  readonly bytes: number;
  readonly large: boolean;
}

type Facts = Omit<Standing, 'state'>;

export interface StandingLimits {
  /** How many steps down the dependencies of finished tasks are looked at. */
  readonly depth: number;
  /** How many dependencies of each finished task. */
  readonly width: number;
}

const readAtOnce = 256;
/** A task may wait for a million others: past this many, "waiting" is all that is said of it. */
const tasksMax = 10_000;

/**
 * Looks at a task, at what is missing below it, and at its dependencies within the limits.
 *
 * @returns by position in the graph
 */
export async function learnStandings(
  project: OpenProject,
  graph: Graph,
  root: number,
  limits: StandingLimits,
): Promise<Map<number, Standing>> {
  const facts = new Map<number, Facts>();
  let level = [root];
  for (let depth = 0; level.length > 0 && facts.size < tasksMax; depth++) {
    const next = new Set<number>();
    for (let at = 0; at < level.length && facts.size < tasksMax; at += readAtOnce) {
      const some = level.slice(at, at + readAtOnce);
      await Promise.all(
        some.map(async (task) => facts.set(task, await learn(project, graph, task))),
      );
    }
    for (const task of level) {
      const isFinished = facts.get(task)?.result !== undefined;
      if (isFinished && depth >= limits.depth) continue;
      const dependencies = row(graph.dependencies, task);
      const wanted = isFinished ? dependencies.subarray(0, limits.width) : dependencies;
      for (const dependency of wanted) if (!facts.has(dependency)) next.add(dependency);
    }
    level = [...next];
  }
  return derive(graph, facts);
}

/** Facts of a task that no plan declares. */
export async function learnAlone(project: OpenProject, id: string): Promise<Standing> {
  const facts = await learnTask(project, id);
  return { ...facts, state: ownState(facts) ?? 'waiting' };
}

function learn(project: OpenProject, graph: Graph, task: number): Promise<Facts> {
  return learnTask(project, idOf(graph, task));
}

async function learnTask(project: OpenProject, text: string): Promise<Facts> {
  const id = text as Parameters<typeof project.results.read>[0];
  const stored = await project.results.readLast(id);
  if (stored?.present === true) {
    const { data, facts, isBlob, storedAt } = stored;
    const bytes = isBlob
      ? (unpack(data, `the result of ${id}`) as BlobReference).size
      : data.length;
    // The server tells nanoseconds.
    const at = new Date(storedAt).toISOString();
    return { result: { facts, at, bytes, large: isBlob } };
  }
  const entry = await project.failures.get(id);
  const failure = entry && readFailure(project, entry);
  return failure === undefined || isVoid(failure, stored?.revision ?? 0) ? {} : { failure };
}

/** What its own facts say of a task, if they suffice. */
function ownState({ result, failure }: Facts): CountedState | undefined {
  if (result !== undefined) return 'finished';
  return failure?.kind === 'final' ? 'failed' : undefined;
}

/** Positions are a topological order: each task comes after what it depends on. */
function derive(graph: Graph, facts: ReadonlyMap<number, Facts>): Map<number, Standing> {
  const standings = new Map<number, Standing>();
  for (const [task, each] of [...facts].sort(([a], [b]) => a - b)) {
    const below = (): CountedState => {
      const states = [...row(graph.dependencies, task)].map((at) => standings.get(at)?.state);
      if (states.some((state) => state === 'failed' || state === 'blocked')) return 'blocked';
      const isReady = states.every((state) => state === 'finished') && each.failure === undefined;
      return isReady ? 'ready' : 'waiting';
    };
    standings.set(task, { ...each, state: ownState(each) ?? below() });
  }
  return standings;
}
