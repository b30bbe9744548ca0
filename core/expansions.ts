/**
 * What compounds are made of, to be remembered when they are expanded no longer.
 *
 * A plan in which a compound's result is there knows nothing of its inner tasks. So what each expansion declared is kept
 * apart from plans: the compounds, all that they are made of, directly or not, and no arguments.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { row, type Graph } from './graph.ts';
import { rearrange } from './graph-order.ts';

/** The tasks that a compound's body asks for while it is called, by position in the recording. */
export interface CompoundBody {
  /** It called these, whether they had been declared before or not. */
  readonly called: Set<number>;
  /** It has looked at the values of these. */
  readonly seen: Set<number>;
}

/** The body that this asynchronous context belongs to, the innermost of several. */
export const currentBody = new AsyncLocalStorage<CompoundBody>();

/** A compound that was expanded, and the tasks that its body called, by position. */
export interface Expansion {
  readonly compound: number;
  readonly inner: readonly number[];
}

/** Expansions with the part of a graph that they stand in. */
export interface ExpansionGraph {
  readonly graph: Graph;
  readonly expansions: readonly Expansion[];
}

/** A body that has not called anything yet. */
export function emptyBody(): CompoundBody {
  return { called: new Set(), seen: new Set() };
}

/** Those of a compound's inner tasks that no other one takes: it waits for all by waiting for these. */
export function lastOf(
  called: ReadonlySet<number>,
  dependenciesOf: (task: number) => Iterable<number>,
): Set<number> {
  const last = new Set(called);
  for (const task of called) for (const each of dependenciesOf(task)) last.delete(each);
  return last;
}

/** Cuts out of a graph what compounds are made of, without arguments. */
export function expansionGraph(graph: Graph, expansions: readonly Expansion[]): ExpansionGraph {
  const part = new Uint8Array(graph.count);
  for (const { compound } of expansions) part[compound] = 1;
  for (let task = graph.count - 1; task >= 0; task--) {
    if (part[task] === 1) for (const each of row(graph.dependencies, task)) part[each] = 1;
  }
  const order: number[] = [];
  const place = new Map<number, number>();
  for (const [task, isPart] of part.entries())
    if (isPart === 1) place.set(task, order.push(task) - 1);
  const cut = rearrange(graph, {
    order: Uint32Array.from(order),
    dependencies: (task) => row(graph.dependencies, task),
    bytes: () => noBytes,
  });
  return {
    graph: cut,
    expansions: expansions.map(({ compound, inner }) => ({
      compound: place.get(compound) ?? 0,
      inner: inner.flatMap((each) => place.get(each) ?? []),
    })),
  };
}

const noBytes = new Uint8Array();
