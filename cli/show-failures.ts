/** `jugq failures` and `jugq status --failed`: what has failed and why, task by task and cause by cause. */
import colors from 'picocolors';
import { groupByCause, type FailureCause } from '../core/failure-causes.ts';
import { splitTaskId } from '../core/identifiers.ts';
import { parsePatterns } from '../core/patterns.ts';
import type { FailureRecord, RunRecord } from '../core/records.ts';
import type { CommandContext } from './commands/base.ts';
import { describeFailure, failuresOf, standingFailures, type StandingFailure } from './failures.ts';
import type { TaskFailure } from './library-types.ts';
import { lookAtJugfile } from './look-at-jugfile.ts';
import { countOf } from './report.ts';
import { currentRuns, findRun } from './runs.ts';
import type { Session } from './session.ts';

/** Which failures are meant. */
export interface ChosenFailures {
  readonly patterns: readonly string[];
  readonly cause: string | undefined;
  /** The beginning of a run's id; undefined: the active runs, else the newest. */
  readonly run: string | undefined;
}

export interface FailuresRequest extends ChosenFailures {
  readonly json: boolean;
  readonly context: CommandContext;
}

/** The failures that a command line means. */
export async function chosenFailures(
  session: Session,
  { patterns, cause, run }: ChosenFailures,
): Promise<{ readonly runs: readonly RunRecord[]; readonly failures: StandingFailure[] }> {
  const { project } = session;
  const runs = run === undefined ? await currentRuns(project) : [await findRun(project, run)];
  const choice = { patterns: parsePatterns(patterns), cause };
  return { runs, failures: await standingFailures(project, runs, choice) };
}

/** Prints each failure whole. */
export async function showFailures(session: Session, request: FailuresRequest): Promise<number> {
  const { stdout, stderr } = request.context;
  const { runs, failures } = await chosenFailures(session, request);
  const shown = request.json ? failures : failures.slice(0, wholeMax);
  const described: TaskFailure[] = [];
  for (const each of shown) described.push(await describeFailure(session.project, each));
  if (request.json) stdout.write(`${JSON.stringify({ kind: 'failures', failures: described })}\n`);
  else if (described.length > 0) stdout.write(`${described.map(formatWhole).join('\n\n')}\n`);
  if (failures.length === 0) {
    // A run may have failed as a whole, when its planning could not go on.
    const wholes = runs.flatMap(({ id, state, note }) =>
      state === 'failed' && note !== undefined ? [`run ${id} failed: ${note}`] : [],
    );
    stderr.write(`${[noneChosen(request), ...wholes].join('\n')}\n`);
  }
  const more = failures.length - shown.length;
  if (more > 0) {
    stderr.write(
      `… and ${countOf(more, 'more task')}: give the beginning of a task id, or --cause, see jugq status --failed\n`,
    );
  }
  return 0;
}

const wholeMax = 20;

/** That there are no such failures, in the words of whoever asked for them. */
export function noneChosen({ patterns, cause }: ChosenFailures): string {
  const which = [
    ...(patterns.length > 0 ? [`matches ${patterns.join(' or ')}`] : []),
    ...(cause === undefined ? [] : [`has the cause ${cause}`]),
  ];
  return which.length === 0
    ? 'no task has failed'
    : `no failed task ${which.join(' and ')}: see jugq status --failed`;
}

/** Whose failures are grouped by cause. */
export interface CausesRequest extends Pick<FailuresRequest, 'run' | 'json' | 'context'> {
  /** Of the tasks that it declares, instead of those of a run. */
  readonly jugfile: string | undefined;
  readonly args: readonly string[];
}

/** Prints the failures by cause. */
export async function showCauses(session: Session, request: CausesRequest): Promise<number> {
  const { json, context } = request;
  const failures = await recordsOf(session, request);
  const causes = groupByCause(failures);
  if (json) {
    const all = causes.map(causeAsJson);
    const text = JSON.stringify({ kind: 'causes', failed: failures.length, causes: all });
    context.stdout.write(`${text}\n`);
  } else {
    const head = `${countOf(failures.length, 'task')} failed, ${countOf(causes.length, 'cause')}`;
    context.stdout.write(`${[head, ...causes.map(formatCause)].join('\n')}\n`);
  }
  return 0;
}

async function recordsOf(
  session: Session,
  { jugfile, args, run, context }: CausesRequest,
): Promise<readonly FailureRecord[]> {
  if (jugfile === undefined) {
    const { failures } = await chosenFailures(session, { patterns: [], cause: undefined, run });
    return failures.map((each) => each.record);
  }
  const { graph } = await lookAtJugfile(session, { jugfile, args }, context);
  return failuresOf(session.project, graph);
}

function causeAsJson({ id, name, message, frame, failures }: FailureCause): object {
  return { id, name, message, frame, tasks: failures.map((each) => each.task) };
}

function formatCause({ id, name, message, frame, failures }: FailureCause): string {
  const functions = new Map<string, number>();
  for (const { task } of failures) {
    const { functionName } = splitTaskId(task);
    functions.set(functionName, (functions.get(functionName) ?? 0) + 1);
  }
  const of = [...functions].map(([fn, count]) => `${count.toString()} of ${fn}`).join(', ');
  return [
    '',
    colors.red(`${name}: ${cut(message)}`),
    ...(frame === '' ? [] : [`  ${frame}`]),
    `  ${of}, such as ${failures[0]?.task ?? ''}`,
    `  jugq failures --cause ${id}    jugq retry --cause ${id}`,
  ].join('\n');
}

function formatWhole(failure: TaskFailure): string {
  const { task, argumentsText, attempts, strikes, worker, at, output, cause, run } = failure;
  const call = argumentsText === undefined ? [] : [`  ${failure.function}(${cut(argumentsText)})`];
  const error = failure.stack === '' ? `${failure.name}: ${failure.message}` : failure.stack;
  const tried = [
    countOf(attempts, 'attempt'),
    ...(strikes > 0 ? [countOf(strikes, 'strike')] : []),
    `worker ${worker}`,
    at,
    `run ${run}`,
    `cause ${cause}`,
  ];
  const printed = output?.trimEnd() ?? '';
  return [
    colors.red(`✗ ${task}`),
    ...call,
    ...error.split('\n').map((line) => `  ${line}`),
    `  ${tried.join(', ')}`,
    ...(printed === ''
      ? []
      : ['  it printed:', ...printed.split('\n').map((line) => `    ${line}`)]),
  ].join('\n');
}

const cutAt = 500;

function cut(text: string): string {
  return text.length <= cutAt ? text : `${text.slice(0, cutAt)}…`;
}
