/** Tasks as users name them, with the plan that declares them: whether they have a result or not. */
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import { argumentsOf, hashText, idOf, TaskIndex, type Graph } from '../core/graph.ts';
import { isTaskId, type TaskId } from '../core/identifiers.ts';
import type { Plan } from '../core/plan-format.ts';
import type { RunRecord } from '../core/records.ts';
import { ambiguousId, findByPrefix } from './find-result.ts';
import { storedPlans } from './stored-plans.ts';

/** A task, and where it was declared. */
export interface FoundTask {
  readonly id: TaskId;
  /** Absent: a result that no stored plan declares. */
  readonly declared?: DeclaredTask;
}

/** A task in a plan. */
export interface DeclaredTask {
  readonly position: number;
  readonly graph: Graph;
  /** Arguments that lie in the object store. */
  readonly spilled: Plan['spilled'];
  /** The bundle; without its text it is on the server. */
  readonly code: { readonly digest: string; readonly text?: string };
  /** The run whose plan it is; absent: the jugfile was evaluated now. */
  readonly record?: RunRecord;
}

/**
 * The one task whose id begins so, in the newest plan that has any such task, else among the results.
 *
 * @throws JugqError `AMBIGUOUS_ID` with the candidates, `RESULT_MISSING` if there is none
 */
export async function findTask(project: OpenProject, prefix: string): Promise<FoundTask> {
  let bare: FoundTask | undefined;
  for await (const { record, plan } of storedPlans(project)) {
    const { graph, spilled } = plan;
    const code = { digest: plan.code };
    const [position, ...others] = positionsOf(graph, prefix);
    if (position === undefined) continue;
    if (others.length > 0) {
      const ids = [position, ...others].map((each) => idOf(graph, each));
      throw ambiguousId(prefix, ids.sort());
    }
    const declared = { position, graph, spilled, code, record };
    const found = { id: idOf(graph, position), declared };
    if (!isBare(declared)) return found;
    bare ??= found;
  }
  if (bare !== undefined) return bare;
  const id = await findByPrefix(project, prefix);
  if ((await project.results.readLast(id))?.present === true) return { id };
  throw new JugqError(
    'RESULT_MISSING',
    `${id} is not known: no stored plan declares it, and it has no result: see jugq status`,
  );
}

/** A compound that had its result when it was planned: what it consists of stands in an older plan. */
export function isBare({ graph, position, spilled }: DeclaredTask): boolean {
  return argumentsOf(graph, position).length === 0 && !spilled.has(position);
}

/** Positions of the tasks whose id begins so. */
export function positionsOf(graph: Graph, prefix: string): number[] {
  if (isTaskId(prefix)) {
    const position = new TaskIndex(graph).find(prefix);
    return position === -1 ? [] : [position];
  }
  const dot = prefix.lastIndexOf('.');
  const name = dot === -1 ? undefined : prefix.slice(0, dot);
  const wanted = graph.functions.map((each) =>
    name === undefined ? each.name.startsWith(prefix) : each.name === name,
  );
  const found: number[] = [];
  for (let task = 0; task < graph.count; task++) {
    if (wanted[graph.functionOf[task] ?? 0] !== true) continue;
    if (name === undefined || hashText(graph, task).startsWith(prefix.slice(dot + 1)))
      found.push(task);
  }
  return found;
}
