/**
 * The graph of a plan: what was declared, in the order of declaration, in typed arrays.
 *
 * A task can only take tasks that were declared before it, so the order of declaration is topological: every
 * dependency has a smaller position than its dependents. All passes over a graph rely on that.
 */
import { readBase32, toBase32 } from './base32.ts';
import { invariant } from './errors.ts';
import { HashIndex, hashBytes, wordsPerHash } from './hash-index.ts';
import { splitTaskId, taskId, type TaskId } from './identifiers.ts';

/** What the plan knows of a task function. */
export interface FunctionFacts {
  readonly name: string;
  readonly queue: string;
  /** How many times a failed attempt is tried again. */
  readonly retries: number;
  /** Milliseconds after which an attempt is ended; absent: never. */
  readonly timeoutMs?: number;
  /** False: an intermediate result, dropped when all that need it are finished; absent: it stays. */
  readonly keep?: false;
  /** Fingerprint of the function's own code, hexadecimal. */
  readonly fingerprint: string;
}

/** Rows of numbers of different lengths, laid end to end (compressed sparse rows). */
export interface Rows {
  /** Row `i` is `items[start[i] … start[i + 1] - 1]`. */
  readonly start: Uint32Array;
  readonly items: Uint32Array;
}

export interface Graph {
  readonly count: number;
  readonly functions: readonly FunctionFacts[];
  /** Five words a task. */
  readonly hashes: Uint32Array;
  /** Position in `functions`, per task. */
  readonly functionOf: Uint32Array;
  readonly dependencies: Rows;
  /** CBOR of the arguments of task `i`: `argumentBytes[argumentStart[i] … argumentStart[i + 1] - 1]`. */
  readonly argumentStart: Uint32Array;
  readonly argumentBytes: Uint8Array;
}

/** The hash of a task as 32 characters. */
export function hashText(graph: Graph, task: number): string {
  return toBase32(hashBytesOf(graph, task));
}

/** The 20 bytes of a task's hash; a view, not a copy. */
export function hashBytesOf(graph: Graph, task: number): Uint8Array {
  const { buffer, byteOffset } = graph.hashes;
  return new Uint8Array(buffer, byteOffset + task * hashBytes, hashBytes);
}

/** The function of a task. */
export function functionOf(graph: Graph, task: number): FunctionFacts {
  const found = graph.functions[graph.functionOf[task] ?? -1];
  invariant(found, `task ${task.toString()} has no function`);
  return found;
}

/** The id of the task at this position. */
export function idOf(graph: Graph, task: number): TaskId {
  return taskId(functionOf(graph, task).name, hashText(graph, task));
}

/** CBOR of the arguments of a task; a view, not a copy. */
export function argumentsOf(graph: Graph, task: number): Uint8Array {
  return graph.argumentBytes.subarray(graph.argumentStart[task], graph.argumentStart[task + 1]);
}

/** How many bytes the arguments of a task take. */
export function argumentsLength({ argumentStart }: Graph, task: number): number {
  return (argumentStart[task + 1] ?? 0) - (argumentStart[task] ?? 0);
}

/** The items of one row; a view, not a copy. */
export function row(rows: Rows, position: number): Uint32Array {
  const start = rows.start[position];
  const end = rows.start[position + 1];
  // Making a view costs more than most of what is done with it, and many rows are empty.
  return start === end ? noItems : rows.items.subarray(start, end);
}

const noItems = new Uint32Array(0);

/** The dependents of every task: `dependencies` turned round. */
export function turnRound(rows: Rows): Rows {
  const count = rows.start.length - 1;
  const start = new Uint32Array(count + 1);
  for (const item of rows.items) start[item + 1] = (start[item + 1] ?? 0) + 1;
  for (let i = 0; i < count; i++) start[i + 1] = (start[i + 1] ?? 0) + (start[i] ?? 0);
  const items = new Uint32Array(rows.items.length);
  const next = start.slice();
  for (let from = 0; from < count; from++) {
    for (const item of row(rows, from)) {
      const at = next[item] ?? 0;
      items[at] = from;
      next[item] = at + 1;
    }
  }
  return { start, items };
}

/** Looks tasks of one graph up by hash or id. */
export class TaskIndex {
  readonly #graph: Graph;
  readonly #index: HashIndex;
  readonly #words = new Uint32Array(wordsPerHash);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  /** Whoever looks a task up mostly does so again at once. */
  #last: { readonly id: TaskId | ''; readonly task: number } = { id: '', task: -1 };

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#index = new HashIndex(graph.count);
    for (let task = 0; task < graph.count; task++) this.#index.add(graph.hashes, task);
  }

  /** Position of the task with this hash, or -1; also for text that is no hash, such as a foreign key of a bucket. */
  findHash(hash: string): number {
    if (!readBase32(hash, this.#bytes, 0)) return -1;
    return this.#index.find(this.#graph.hashes, this.#words);
  }

  /** Position of the task, or -1. */
  find(id: TaskId): number {
    if (id !== this.#last.id) this.#last = { id, task: this.findHash(splitTaskId(id).hash) };
    return this.#last.task;
  }

  /** Position here of a task of another graph, or -1. */
  findIn(other: Graph, task: number): number {
    return this.#index.find(this.#graph.hashes, other.hashes, task * wordsPerHash);
  }
}

/**
 * Longest path from each task to the end of the graph, the task itself included, in the unit of `cost`.
 *
 * @param cost - of one task of each function, by position in `graph.functions`
 */
export function longestPaths(graph: Graph, cost: readonly number[]): Float32Array {
  const longest = new Float32Array(graph.count);
  for (let task = graph.count - 1; task >= 0; task--) {
    const whole = (longest[task] ?? 0) + (cost[graph.functionOf[task] ?? 0] ?? 0);
    longest[task] = whole;
    for (const dependency of row(graph.dependencies, task)) {
      if ((longest[dependency] ?? 0) < whole) longest[dependency] = whole;
    }
  }
  return longest;
}
