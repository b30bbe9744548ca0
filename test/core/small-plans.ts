/** Plans for tests, written as which task takes which: `{ 'f a': [], 'f b': ['f a'] }`. */
import { createHash } from 'node:crypto';
import { toBase32 } from '../../core/base32.ts';
import type { FunctionFacts } from '../../core/graph.ts';
import { hashBytes } from '../../core/hash-index.ts';
import { taskId, type RunId, type TaskId } from '../../core/identifiers.ts';
import type { KnownResult } from '../../core/known-results.ts';
import type { Plan } from '../../core/plan-format.ts';
import {
  startRun,
  type KnownFailure,
  type RunProgress,
  type RunStart,
} from '../../core/run-progress.ts';

/** Tasks by name, `<function> <anything>`, each with the names of those that it takes. */
export type Sketch = Readonly<Record<string, readonly string[]>>;

export interface PlanOptions {
  readonly code?: string;
  /** Of each function; default: the code's name. */
  readonly fingerprint?: string;
  /** Compounds that are not expanded, by position. */
  readonly open?: readonly number[];
  readonly retries?: number;
  /** Queues by function; default `default`. */
  readonly queues?: Readonly<Record<string, string>>;
  /** Timeouts by function, ms. */
  readonly timeouts?: Readonly<Record<string, number>>;
  /** Functions with `keep: false`. */
  readonly passing?: readonly string[];
  /** Tasks, by position, that planning has asked for. */
  readonly kept?: readonly number[];
  /** Length of each task's arguments. */
  readonly argumentBytes?: number;
}

/** The id of the task of this name, in every plan. */
export function idFor(name: string): TaskId {
  return taskId(functionIn(name), toBase32(hashFor(name)));
}

/** A plan of the tasks, in the order in which they are written. */
export function planFor(sketch: Sketch, options: PlanOptions = {}): Plan {
  const names = Object.keys(sketch);
  const functionNames = [...new Set(names.map(functionIn))];
  const size = options.argumentBytes ?? 0;
  const hashes = new Uint8Array(names.length * hashBytes);
  const start = [0];
  const items: number[] = [];
  names.forEach((name, at) => {
    hashes.set(hashFor(name), at * hashBytes);
    for (const taken of sketch[name] ?? []) items.push(names.indexOf(taken));
    start.push(items.length);
  });
  const graph = {
    count: names.length,
    functions: functionNames.map((name) => functionFacts(name, options)),
    hashes: new Uint32Array(hashes.buffer),
    functionOf: Uint32Array.from(names, (name) => functionNames.indexOf(functionIn(name))),
    dependencies: { start: Uint32Array.from(start), items: Uint32Array.from(items) },
    argumentStart: Uint32Array.from({ length: names.length + 1 }, (_, at) => at * size),
    argumentBytes: new Uint8Array(names.length * size),
  };
  return {
    graph,
    code: options.code ?? 'code1',
    spilled: new Map(),
    open: options.open ?? [],
    kept: options.kept ?? [],
    waits: [],
  };
}

/** So many tasks of one function, without dependencies. */
export function flood(functionName: string, count: number): Sketch {
  return Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`${functionName} ${at.toString()}`, []]),
  );
}

/** What is known when a run is started. */
export interface Known {
  readonly results?: readonly KnownResult[];
  readonly failures?: readonly (readonly [number, KnownFailure])[];
}

/** A run of a plan; runs sort by their number. */
export function runFor(
  number: number,
  plan: Plan,
  known: Known = {},
  wish: Pick<RunStart, 'targets' | 'failFast'> = {},
): RunProgress {
  const id = `01RUN${number.toString().padStart(21, '0')}` as RunId;
  const start = { id, plan, basis: 0, ...wish };
  return startRun(start, known.results ?? [], known.failures ?? [], () => 1);
}

function functionIn(name: string): string {
  return name.split(' ')[0] ?? '';
}

function hashFor(name: string): Uint8Array {
  return createHash('sha256').update(name).digest().subarray(0, hashBytes);
}

function functionFacts(name: string, options: PlanOptions): FunctionFacts {
  const { retries = 0, queues = {}, timeouts = {}, code = 'code1', passing = [] } = options;
  const timeoutMs = timeouts[name];
  const facts = {
    name,
    retries,
    queue: queues[name] ?? 'default',
    fingerprint: options.fingerprint ?? code,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return passing.includes(name) ? { ...facts, keep: false } : facts;
}
