/**
 * What compounds are made of, as it is kept beside the plans: a plan in which a compound is not expanded does not know,
 * and plans come and go, while a result stays.
 */
import { createHash } from 'node:crypto';
import { listObjects } from '../broker/object-list.ts';
import type { OpenProject } from '../broker/project.ts';
import { expansionGraph, type Expansion, type ExpansionGraph } from '../core/expansions.ts';
import type { Graph } from '../core/graph.ts';
import { decodeExpansions, encodeExpansions } from '../core/plan-format.ts';

const prefix = 'expansions.';

/** Whether an object of the plans' store is none of a run, but keeps expansions. */
export function keepsExpansions(name: string): boolean {
  return name.startsWith(prefix);
}

/**
 * Keeps what was expanded, by content: the same again is not stored again.
 *
 * To be done before anything of the graph is published, so that no compound can have a result of which this is not
 * known.
 *
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
 */
export async function storeExpansions(
  project: OpenProject,
  graph: Graph,
  expansions: readonly Expansion[],
): Promise<void> {
  if (expansions.length === 0) return;
  const pieces = encodeExpansions(expansionGraph(graph, expansions));
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  const name = `${prefix}${hash.digest('hex')}`;
  if (!(await project.plans.has(name))) await project.plans.put(name, pieces);
}

/** Names of all that is kept. */
export async function listExpansions(project: OpenProject): Promise<string[]> {
  const objects = await listObjects(project, project.names.plans);
  return objects.map((each) => each.name).filter(keepsExpansions);
}

/** What is kept under a name; undefined if it has been cleaned up. */
export async function readExpansions(
  project: OpenProject,
  name: string,
): Promise<ExpansionGraph | undefined> {
  const bytes = await project.plans.get(name);
  return bytes === undefined ? undefined : decodeExpansions(bytes);
}
