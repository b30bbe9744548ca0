/** Puts the tasks of a graph into another order. */
import { invariant } from './errors.ts';
import type { Graph } from './graph.ts';
import { GrowingBytes, GrowingUint32 } from './growing.ts';
import { wordsPerHash } from './hash-index.ts';

/**
 * An order in which every task comes after its dependencies; otherwise that of the positions.
 *
 * @returns positions in that order; or a task that depends on itself
 */
export function topologicalOrder(
  count: number,
  dependenciesOf: (task: number) => ArrayLike<number>,
): Uint32Array | { readonly inCircle: number } {
  const order = new Uint32Array(count);
  const visit = new Uint8Array(count);
  let placed = 0;
  const path: number[] = [];
  for (let root = 0; root < count; root++) {
    path.push(root);
    for (let task = path.at(-1); task !== undefined; task = path.at(-1)) {
      if (visit[task] === visits.done) {
        path.pop();
      } else if (visit[task] === visits.open) {
        visit[task] = visits.done;
        order[placed++] = task;
        path.pop();
      } else {
        visit[task] = visits.open;
        const dependencies = dependenciesOf(task);
        for (let at = dependencies.length - 1; at >= 0; at--) {
          const dependency = dependencies[at] ?? 0;
          if (visit[dependency] === visits.open) return { inCircle: dependency };
          if (visit[dependency] === visits.none) path.push(dependency);
        }
      }
    }
  }
  return order;
}

const visits = { none: 0, open: 1, done: 2 } as const;

/**
 * The same tasks, or a part of them with all that these depend on, in another order, with other dependencies and
 * arguments.
 *
 * @param to.order - positions in `graph`, dependencies first; `dependencies` and `bytes` are asked by those, too
 */
export function rearrange(
  graph: Graph,
  to: {
    readonly order: Uint32Array;
    readonly dependencies: (task: number) => ArrayLike<number>;
    readonly bytes: (task: number) => Uint8Array;
  },
): Graph {
  const count = to.order.length;
  invariant(count <= graph.count, 'an order has no task twice');
  const place = new Uint32Array(graph.count);
  to.order.forEach((task, at) => (place[task] = at));
  const hashes = new Uint32Array(count * wordsPerHash);
  const functionOf = new Uint32Array(count);
  const items = new GrowingUint32();
  const argumentBytes = new GrowingBytes();
  const start = new Uint32Array(count + 1);
  const argumentStart = new Uint32Array(count + 1);
  to.order.forEach((task, at) => {
    const from = task * wordsPerHash;
    hashes.set(graph.hashes.subarray(from, from + wordsPerHash), at * wordsPerHash);
    functionOf[at] = graph.functionOf[task] ?? 0;
    const dependencies = to.dependencies(task);
    for (let i = 0; i < dependencies.length; i++) items.push(place[dependencies[i] ?? 0] ?? 0);
    start[at + 1] = items.length;
    argumentBytes.append(to.bytes(task));
    argumentStart[at + 1] = argumentBytes.length;
  });
  return {
    count,
    functions: graph.functions,
    hashes,
    functionOf,
    dependencies: { start, items: items.toArray() },
    argumentStart,
    argumentBytes: argumentBytes.toArray(),
  };
}
