/** The tasks of runs that have failed for good and have no result. */
import { readFailure } from '../broker/failures.ts';
import type { OpenProject } from '../broker/project.ts';
import { groupByCause } from '../core/failure-causes.ts';
import { TaskIndex, type Graph } from '../core/graph.ts';
import { isTaskId, splitTaskId, type TaskId } from '../core/identifiers.ts';
import { matchesTask, type Pattern } from '../core/patterns.ts';
import { isVoid, type FailureRecord, type RunRecord } from '../core/records.ts';
import { describeArguments } from './describe-task.ts';
import type { TaskFailure } from './library-types.ts';
import { readPlan, type StoredPlan } from './stored-plans.ts';

/** A failure that stands, and where its task was declared. */
export interface StandingFailure {
  readonly record: FailureRecord;
  /** Of the failure record. */
  readonly revision: number;
  readonly cause: string;
  readonly stored: StoredPlan;
  readonly position: number;
}

/** Which failures somebody means; all conditions have to hold. */
export interface FailureChoice {
  readonly patterns?: readonly Pattern[];
  /** The beginning of a cause's id, or the class of the error. */
  readonly cause?: string | undefined;
}

/** Failures of the tasks of runs, in the order of declaration; a task that several runs declare counts for the newest. */
export async function standingFailures(
  project: OpenProject,
  runs: readonly RunRecord[],
  choice: FailureChoice = {},
): Promise<StandingFailure[]> {
  const left = new Map((await readFinal(project)).map((each) => [each.record.task, each]));
  const found: Omit<StandingFailure, 'cause'>[] = [];
  for (const run of runs.toReversed()) {
    if (left.size === 0) break;
    const stored = await readPlan(project, run);
    if (stored === undefined) continue;
    const index = new TaskIndex(stored.plan.graph);
    const ours = [...left].flatMap(([task, each]) => {
      const position = index.find(task);
      return position === -1 ? [] : [{ ...each, stored, position }];
    });
    for (const { record } of ours) left.delete(record.task);
    for (const each of ours.sort((a, b) => a.position - b.position)) found.push(each);
  }
  return choose(await withoutResult(project, found), choice);
}

/** Final failure records of the tasks of a graph that stand, in the order of declaration. */
export async function failuresOf(project: OpenProject, graph: Graph): Promise<FailureRecord[]> {
  const index = new TaskIndex(graph);
  const ours = (await readFinal(project)).filter(({ record }) => index.find(record.task) !== -1);
  return (await withoutResult(project, ours))
    .map(({ record }) => record)
    .sort((a, b) => index.find(a.task) - index.find(b.task));
}

/** A failure with all that helps to understand it. */
export async function describeFailure(
  project: OpenProject,
  failure: StandingFailure,
): Promise<TaskFailure> {
  const { record, cause, stored, position } = failure;
  const { task, error, attempt, strikes, worker, at, output } = record;
  const { graph, spilled } = stored.plan;
  return {
    task,
    function: splitTaskId(task).functionName,
    run: stored.record.id,
    ...error,
    attempts: attempt,
    strikes,
    worker,
    at,
    ...(output === undefined ? {} : { output }),
    cause,
    ...(await describeArguments(project, { graph, position, spilled })),
  };
}

interface Final {
  readonly record: FailureRecord;
  readonly revision: number;
}

async function readFinal(project: OpenProject): Promise<Final[]> {
  return (await project.failures.list()).flatMap((entry) => {
    const record = isTaskId(entry.key) ? readFailure(project, entry) : undefined;
    return record?.kind === 'final' ? [{ record, revision: entry.revision }] : [];
  });
}

/** A result wins over a record that was left behind, and a later marker makes it void. */
async function withoutResult<F extends Final>(
  { results }: OpenProject,
  failures: readonly F[],
): Promise<F[]> {
  const standing: F[] = [];
  for (let at = 0; at < failures.length; at += askedAtOnce) {
    const some = failures.slice(at, at + askedAtOnce);
    const found = await Promise.all(some.map(({ record }) => results.readLast(record.task)));
    standing.push(
      ...some.filter(({ record }, i) => {
        const last = found[i];
        return last === undefined || (!last.present && !isVoid(record, last.revision));
      }),
    );
  }
  return standing;
}

const askedAtOnce = 256;

function choose(
  failures: readonly Omit<StandingFailure, 'cause'>[],
  { patterns = [], cause }: FailureChoice,
): StandingFailure[] {
  const causes = new Map<TaskId, string>();
  for (const { id, name, failures: all } of groupByCause(failures.map((each) => each.record))) {
    if (cause !== undefined && !id.startsWith(cause) && name !== cause) continue;
    for (const { task } of all) causes.set(task, id);
  }
  return failures.flatMap((each) => {
    const { task } = each.record;
    const id = causes.get(task);
    const isMeant = patterns.length === 0 || matchesTask(patterns, splitTaskId(task));
    return id === undefined || !isMeant ? [] : [{ ...each, cause: id }];
  });
}
