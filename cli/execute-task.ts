/** `jugq exec`: runs one task here, with its real inputs, and shows what comes of it. */
import { JugqError } from '../core/errors.ts';
import { argumentsOf, idOf, row } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import { formatUserError } from '../core/stack.ts';
import { splitTaskId } from '../core/identifiers.ts';
import { placeBundle } from '../worker/bundle-file.ts';
import { runOneTask } from '../worker/run-one-task.ts';
import type { CommandContext } from './commands/base.ts';
import type { ResultFormat } from './commands/get-command.ts';
import { readResults } from './find-result.ts';
import { findTask, isBare, type DeclaredTask, type FoundTask } from './find-task.ts';
import { printValue, refuseFile } from './get-result.ts';
import type { Session } from './session.ts';
import { findExported } from './show-description.ts';

export interface ExecuteRequest {
  /** The beginning of a task's id, or a jugfile. */
  readonly what: string;
  /** The export of the jugfile; undefined: `what` is an id. */
  readonly name: string | undefined;
  readonly args: readonly string[];
  readonly format: ResultFormat | undefined;
  readonly context: CommandContext;
}

/** Runs the task that a request names; exit status 1 if it throws. */
export async function executeTask(session: Session, request: ExecuteRequest): Promise<number> {
  const { context, format } = request;
  const { id, declared } = await findOne(session, request);
  if (declared === undefined) {
    const message = `${id} is declared by no stored plan: plan its jugfile, or name its export: jugq exec <jugfile> <export>`;
    throw new JugqError('RESULT_MISSING', message);
  }
  if (isBare(declared)) {
    const message = `what ${id} consists of is not known any more: it is a compound that had its result when it was planned: invalidate it and plan again`;
    throw new JugqError('RESULT_MISSING', message);
  }
  const task = await gather(session, id, declared);
  try {
    printValue(await runOneTask(task), undefined, { format, context });
    return 0;
  } catch (error) {
    if (error instanceof JugqError) throw error;
    const text = formatUserError(error);
    context.stderr.write(`${id} failed:\n${text}\n`);
    return 1;
  }
}

async function findOne(session: Session, request: ExecuteRequest): Promise<FoundTask> {
  const { what, name, args, context } = request;
  if (name === undefined) {
    refuseFile(session.cwd, what, 'exec');
    return findTask(session.project, what);
  }
  const [found, ...others] = await findExported(session, { jugfile: what, args }, name, context);
  if (found !== undefined && others.length === 0) return found;
  const ids = [found, ...others].map((each) => String(each?.id));
  throw new JugqError(
    'AMBIGUOUS_ID',
    `the export ${name} of ${what} holds ${ids.length.toString()} tasks: run one by its id: jugq exec ${ids[0] ?? ''}`,
  );
}

/** Everything that a worker would be given. */
async function gather(
  session: Session,
  id: TaskId,
  { graph, position, spilled, code }: DeclaredTask,
): Promise<Parameters<typeof runOneTask>[0]> {
  const { project } = session;
  const dependencies = [...row(graph.dependencies, position)].map((each) => idOf(graph, each));
  const results = await readResults(project, new Set(dependencies));
  const elsewhere = spilled.get(position);
  const args =
    elsewhere === undefined
      ? argumentsOf(graph, position)
      : await project.blobs.get(elsewhere.blob);
  const bundle = code.text ?? (await project.code.get(code.digest));
  if (args === undefined || bundle === undefined) {
    const what = args === undefined ? 'arguments' : 'code';
    throw new JugqError('VALUE_CORRUPT', `the ${what} of ${id} are gone: plan its jugfile again`);
  }
  return {
    id,
    attempt: 1,
    arguments: args,
    inputs: dependencies.map((each) => results.get(each) ?? new Uint8Array()),
    functionName: splitTaskId(id).functionName,
    file: placeBundle(code.digest, bundle, session.cwd),
    reader: session.store,
  };
}
