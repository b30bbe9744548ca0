/**
 * What jugq and its peers are given to do, in a form that each of them can be handed by its own means: tasks that add
 * up the results of others, each with at most one that takes its own.
 */
import { expectFanIn, expectOneTo, expectTree } from '../expected-values.ts';

/** One task: gives its own number and the sum of what it takes. */
export interface PeerTask {
  /** From 1 on. */
  readonly id: number;
  /** Who takes its result; 0: nobody. */
  readonly parent: number;
  readonly own: number;
}

/** One row of the table. */
export interface PeerWork {
  readonly name: string;
  readonly what: string;
  readonly unit: 's' | 'ms a hop';
  /** `again` is a flood whose results are all there; `intake` is one that nobody works on. */
  readonly shape: 'flood' | 'chain' | 'fan-in' | 'tree' | 'again' | 'intake';
  readonly tasks: number;
  /** Worker processes. */
  readonly workers: number;
  /** How long each task sleeps. */
  readonly ms: number;
}

/** A system that can be measured. */
export interface Peer {
  readonly name: string;
  /** Finds or installs what it needs; the answer says what is missing. */
  prepare(): Promise<string | undefined>;
  /**
   * Does the work once, on a server that has done nothing before, and checks every result.
   *
   * From when the first task is handed in, by a process that is up and connected, to workers that are, until the last
   * result is stored; a chain from its first result to its last, for each hop; `intake` and `again` until all is told.
   *
   * @returns in the unit of the work; undefined if the system has no such thing
   * @throws Error if a result is wrong
   */
  measure(work: PeerWork): Promise<number | undefined>;
}

const leaves = 4096;
const hops = 500;

/** All rows, in the order in which they are measured. */
export const peerWorks: readonly PeerWork[] = [
  row('peers-flood', { shape: 'flood', tasks: 10_000 }, '10,000 no-op tasks, 1 worker'),
  row(
    'peers-flood-2',
    { shape: 'flood', tasks: 10_000, workers: 2 },
    '10,000 no-op tasks, 2 workers',
  ),
  row('peers-chain', { shape: 'chain', tasks: hops, unit: 'ms a hop' }, `${hops} tasks in a row`),
  row('peers-fan-in', { shape: 'fan-in', tasks: 5001 }, '5,000 tasks and one that takes them all'),
  row(
    'peers-tree',
    { shape: 'tree', tasks: 2 * leaves - 1 },
    `binary tree of ${2 * leaves - 1} tasks`,
  ),
  row('peers-again', { shape: 'again', tasks: 10_000 }, '10,000 finished tasks handed in again'),
  row(
    'peers-intake',
    { shape: 'intake', tasks: 100_000, workers: 0 },
    '100,000 tasks handed in, no worker',
  ),
  row(
    'peers-sleep50',
    { shape: 'flood', tasks: 200, workers: 2, ms: 50 },
    '200 tasks of 50 ms, 2 workers that run one at a time',
  ),
];

function row(
  name: string,
  work: Pick<PeerWork, 'shape' | 'tasks'> & Partial<PeerWork>,
  what: string,
): PeerWork {
  return { unit: 's', workers: 1, ms: 0, ...work, name, what };
}

/** The tasks of a work, each before the one that takes it. */
export function tasksOf({ shape, tasks }: Pick<PeerWork, 'shape' | 'tasks'>): PeerTask[] {
  const ids = Array.from({ length: tasks }, (_, at) => at + 1);
  switch (shape) {
    case 'flood':
    case 'again':
    case 'intake':
      return ids.map((id) => ({ id, parent: 0, own: id }));
    case 'chain':
      return ids.map((id) => ({ id, parent: id === tasks ? 0 : id + 1, own: 1 }));
    case 'fan-in':
      return ids.map((id) =>
        id === tasks ? { id, parent: 0, own: 0 } : { id, parent: tasks, own: id },
      );
    case 'tree':
      // Numbered from the root down, so that the two that node n takes are 2n and 2n + 1.
      return ids
        .map((id) => ({ id, parent: Math.floor(id / 2), own: 2 * id > tasks ? 1 : 0 }))
        .reverse();
  }
}

/** @throws Error unless these are the results of the work, in any order */
export function checkValues({ shape, tasks }: PeerWork, values: readonly unknown[]): void {
  switch (shape) {
    case 'fan-in':
      expectFanIn(tasks - 1, values);
      return;
    case 'tree':
      expectTree((tasks + 1) / 2, values);
      return;
    case 'flood':
    case 'again':
    case 'intake':
    case 'chain':
      expectOneTo(tasks, values);
  }
}

/**
 * The figure of a work from the times of its results.
 *
 * @param startedAt - epoch ms, as are the others
 */
export function figureOf(
  work: PeerWork,
  startedAt: number,
  resultTimes: readonly number[],
): number {
  const lastAt = resultTimes.reduce((a, b) => Math.max(a, b), 0);
  if (work.shape !== 'chain') return (lastAt - startedAt) / 1000;
  const firstAt = resultTimes.reduce((a, b) => Math.min(a, b), Infinity);
  return (lastAt - firstAt) / (work.tasks - 1);
}
