/** What `status` learns only by reading the heads of all results: how long tasks took, and whose code made them. */
import type { OpenProject } from '../broker/project.ts';
import { isStale } from '../broker/result-facts.ts';
import { scanHeads } from '../broker/result-heads.ts';
import { functionOf, TaskIndex, type Graph } from '../core/graph.ts';
import { splitTaskId } from '../core/identifiers.ts';
import type { FunctionTimes } from './library-types.ts';

/** What a scan is to find out. */
export interface ScanWish {
  /** Of these functions' results. */
  readonly functions: readonly string[];
  readonly times: boolean;
  /**
   * Count results of other code than these plans declare, the newest plan last: what several declare would run with the
   * code of the newest. Undefined: do not.
   */
  readonly staleIn: readonly Graph[] | undefined;
}

/** What a scan has found, by function. */
export interface ScanFound {
  readonly times: Record<string, FunctionTimes>;
  readonly stale: Record<string, number>;
}

/** Reads the heads of all results of some functions. */
export async function scanResults(project: OpenProject, wish: ScanWish): Promise<ScanFound> {
  const durations = new Map(wish.functions.map((name) => [name, [] as number[]]));
  const stale = new Map(wish.functions.map((name) => [name, 0]));
  const plans = (wish.staleIn ?? [])
    .toReversed()
    .map((graph) => ({ graph, index: new TaskIndex(graph) }));
  await scanHeads(project, wish.functions, ({ id, facts }) => {
    const { functionName } = splitTaskId(id);
    if (facts === undefined) return;
    if (wish.times) durations.get(functionName)?.push(facts.ms);
    for (const { graph, index } of plans) {
      const task = index.find(id);
      if (task === -1) continue;
      const { fingerprint } = functionOf(graph, task);
      if (fingerprint === '') continue;
      if (isStale(facts, fingerprint)) stale.set(functionName, (stale.get(functionName) ?? 0) + 1);
      break;
    }
  });
  const times = [...durations].map(([name, all]) => [name, timesOf(all)] as const);
  return { times: Object.fromEntries(times), stale: Object.fromEntries(stale) };
}

/** Mean, 95th percentile (nearest rank) and total of durations, ms. */
export function timesOf(durations: readonly number[]): FunctionTimes {
  const sorted = Float64Array.from(durations).sort();
  const count = sorted.length;
  const totalMs = sorted.reduce((sum, each) => sum + each, 0);
  const p95Ms = sorted[Math.ceil(count * 0.95) - 1] ?? 0;
  return { results: count, meanMs: count === 0 ? 0 : totalMs / count, p95Ms, totalMs };
}
