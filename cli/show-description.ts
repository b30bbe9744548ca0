/** `jugq describe`: finds what a user means and shows where it came from. */
import colors from 'picocolors';
import type { CommandContext } from './commands/base.ts';
import { formatBytes, formatMs } from './amounts.ts';
import { describeTask, type DescribeLimits } from './describe-task.ts';
import { exportOf, tasksIn } from './find-result.ts';
import { refuseFile } from './get-result.ts';
import { findTask, isBare, type FoundTask } from './find-task.ts';
import { TaskIndex } from '../core/graph.ts';
import { JugqError } from '../core/errors.ts';
import type { DependencyDescription, TaskDescription } from './library-types.ts';
import { lookAtJugfile, type NamedJugfile } from './look-at-jugfile.ts';
import type { Session } from './session.ts';

export interface DescribeRequest {
  /** The beginning of a task's id, or a jugfile. */
  readonly what: string;
  /** The export of the jugfile; undefined: `what` is an id. */
  readonly name: string | undefined;
  readonly args: readonly string[];
  readonly limits: DescribeLimits;
  readonly json: boolean;
  readonly context: CommandContext;
}

/** An export may hold any number of tasks. */
const tasksMax = 100;

/** Prints where results came from: one JSON document, an array where an export holds several tasks. */
export async function showDescription(session: Session, request: DescribeRequest): Promise<number> {
  const { context, json, limits, name, what, args } = request;
  if (name === undefined) refuseFile(session.cwd, what, 'describe');
  const found =
    name === undefined
      ? [await findTask(session.project, what)]
      : await findExported(session, { jugfile: what, args }, name, context);
  const all: TaskDescription[] = [];
  for (const each of found.slice(0, tasksMax)) {
    all.push(await describeTask(session.project, each, limits));
  }
  const [only] = all;
  const text = json
    ? JSON.stringify(all.length === 1 ? only : all)
    : all.map(formatDescription).join('\n\n');
  context.stdout.write(`${text}\n`);
  if (found.length > tasksMax) {
    const rest = found.length - tasksMax;
    context.stderr.write(`… and ${rest.toString()} more tasks: describe one by its id\n`);
  }
  return 0;
}

/** The tasks in an export of a jugfile, in the order in which they stand there. */
export async function findExported(
  session: Session,
  named: NamedJugfile,
  name: string,
  context: Pick<CommandContext, 'stderr' | 'interrupted'>,
): Promise<FoundTask[]> {
  const loaded = await lookAtJugfile(session, named, context);
  const ids = tasksIn(exportOf(loaded, name));
  if (ids.size === 0) {
    const message = `the export ${name} of ${named.jugfile} holds no task: it is a plain value`;
    throw new JugqError('UNKNOWN_EXPORT', message);
  }
  const { graph, bundle } = loaded;
  const code = { digest: bundle.digest, text: bundle.code };
  const index = new TaskIndex(graph);
  const spilled = new Map<number, never>();
  return Promise.all(
    [...ids].map(async (id): Promise<FoundTask> => {
      const declared = { position: index.find(id), graph, spilled, code };
      return isBare(declared) ? await findTask(session.project, id) : { id, declared };
    }),
  );
}

function formatDescription(each: TaskDescription): string {
  const rows = [
    ['state', each.state],
    ['declared', declaredBy(each)],
    ['arguments', each.argumentsText === '' ? 'none' : (each.argumentsText ?? 'not known')],
    ...resultRows(each),
    ...failureRows(each),
  ];
  const lines = rows.map(([name = '', text = '']) => `  ${name.padEnd(9)}  ${text}`);
  const tree = formatTree(each.dependencies, each.more, '  ');
  const depends = tree.length === 0 ? [] : ['  depends on', ...tree];
  return [colors.bold(each.task), ...lines, ...depends].join('\n');
}

function declaredBy({ run, jugfile, argumentsText }: TaskDescription): string {
  if (run !== undefined) return `${String(jugfile)}, run ${run}`;
  return argumentsText === undefined ? 'by no stored plan' : 'by the jugfile as it is now';
}

function resultRows({ result, code }: TaskDescription): string[][] {
  if (result === undefined) return [];
  const { at, worker, ms, attempt, bytes, large, fingerprint } = result;
  const tries = attempt > 1 ? `, attempt ${attempt.toString()}` : '';
  const known = {
    same: 'as in the newest plan',
    other: colors.yellow('older or other than in the newest plan'),
    unknown: 'not compared with a plan',
  };
  return [
    ['result', `${formatBytes(bytes)}${large ? ' in the object store' : ''}, ${at}`],
    ['made by', `${worker} in ${formatMs(ms)}${tries}`],
    ['code', `${fingerprint}: ${known[code]}`],
  ];
}

function failureRows({ failure }: TaskDescription): string[][] {
  if (failure === undefined) return [];
  const { name, message, stack, attempt, worker, at, final } = failure;
  const what = stack === '' ? `${name}: ${message}` : stack.replaceAll('\n', `\n${' '.repeat(13)}`);
  const how = final ? 'failed' : 'to be tried again';
  return [
    ['failure', what],
    ['', `${how} after attempt ${attempt.toString()}, on ${worker}, ${at}`],
  ];
}

function formatTree(
  dependencies: readonly DependencyDescription[],
  more: number,
  indent: string,
): string[] {
  const last = more === 0 ? dependencies.length - 1 : -1;
  const lines = dependencies.flatMap((each, at) => {
    const [branch, trunk] = at === last ? ['└ ', '  '] : ['├ ', '│ '];
    const made = each.ms === undefined ? '' : `  ${formatMs(each.ms)}  ${each.worker ?? ''}`;
    const below = formatTree(
      each.dependencies ?? [],
      each.dependencies ? each.more : 0,
      indent + trunk,
    );
    return [`${indent}${branch}${each.task}  ${each.state}${made}`, ...below];
  });
  if (more > 0 && dependencies.length > 0) lines.push(`${indent}└ … and ${more.toString()} more`);
  return lines;
}
