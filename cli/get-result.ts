/** `jugq get`: finds a result and prints it in the form that its reader wants. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { decodeValue, encodeValue } from '../core/codec.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import type { CommandContext } from './commands/base.ts';
import type { ResultFormat } from './commands/get-command.ts';
import { exportOf, findByPrefix, readResults, resolveResults } from './find-result.ts';
import { toJsonValue } from './json-value.ts';
import { jugfileName } from './jugfile-name.ts';
import { loadJugfile, type LoadedJugfile } from './load-jugfile.ts';
import { allRuns } from './runs.ts';
import type { Session } from './session.ts';

interface Output {
  /** Undefined: by where the output goes. */
  readonly format: ResultFormat | undefined;
  readonly context: CommandContext;
}

/** Prints the result of the task whose id begins so. */
export async function getTask(session: Session, prefix: string, output: Output): Promise<number> {
  refuseFile(session.cwd, prefix, 'get');
  const id = await findByPrefix(session.project, prefix);
  const bytes = (await readResults(session.project, new Set([id]))).get(id);
  if (bytes !== undefined) printValue(decodeValue(bytes), bytes, output);
  return 0;
}

/**
 * Refuses a jugfile where the beginning of a task's id is wanted.
 *
 * @throws JugqError `USAGE`, with the call that was meant
 */
export function refuseFile(
  cwd: string,
  prefix: string,
  command: 'get' | 'describe' | 'exec',
): void {
  if (statSync(resolve(cwd, prefix), { throwIfNoEntry: false })?.isFile() !== true) return;
  throw new JugqError(
    'USAGE',
    `${prefix} is a file: name the export to ${{ get: 'print', describe: 'describe', exec: 'run' }[command]}: jugq ${command} ${prefix} <export>`,
  );
}

/** Prints an export of a jugfile. Without arguments the jugfile gets those of its newest run. */
export async function getExport(
  session: Session,
  wanted: { readonly jugfile: string; readonly name: string; readonly args: readonly string[] },
  output: Output,
): Promise<number> {
  const { stderr, interrupted } = output.context;
  const loaded = await loadJugfile(wanted.jugfile, {
    cwd: session.cwd,
    args: wanted.args.length > 0 ? wanted.args : await newestArguments(session, wanted.jugfile),
    external: session.settings.external,
    store: session.store,
    onWarning: () => undefined,
    onProgress: (tasks) => stderr.write(`planning: ${tasks.toString()} tasks so far\n`),
    signal: interrupted,
  });
  const value = await resolveResults(session.project, exportOf(loaded, wanted.name)).catch(
    (error: unknown) => {
      throw withReason(error, loaded);
    },
  );
  printValue(value, undefined, output);
  return 0;
}

/** Running the jugfile again brings no result back that is dropped as soon as it is not needed. */
function withReason(error: unknown, { graph }: LoadedJugfile): unknown {
  if (!isJugqError(error, 'RESULT_MISSING')) return error;
  const missing = error.fields['missing'] as readonly TaskId[];
  const dropped = graph.functions.find(
    ({ name, keep }) =>
      keep === false && missing.some((id) => splitTaskId(id).functionName === name),
  );
  if (dropped === undefined) return error;
  const reason = `results of ${dropped.name} are dropped when no task needs them any more: leave keep: false out to have them stay`;
  return new JugqError('RESULT_MISSING', `${error.message}; ${reason}`, { cause: error });
}

/** Arguments of the newest run of a jugfile; none if it never had a run. */
export async function newestArguments(
  session: Session,
  jugfile: string,
): Promise<readonly string[]> {
  const name = jugfileName(session.cwd, jugfile);
  const runs = await allRuns(session.project);
  return runs.findLast((each) => each.jugfile === name)?.args ?? [];
}

/** Prints a value in the form that its reader wants. */
export function printValue(value: unknown, stored: Uint8Array | undefined, output: Output): void {
  const { stdout, stderr, colorDepth } = output.context;
  const terminal = stdout.isTTY === true;
  switch (output.format ?? (terminal ? 'inspect' : 'json')) {
    case 'cbor':
      stdout.write(stored ?? encodeValue(value));
      return;
    case 'inspect':
      stdout.write(
        `${inspect(value, { colors: terminal && colorDepth > 1, depth: inspectDepth })}\n`,
      );
      return;
    case 'json': {
      const { json, lossy } = toJsonValue(value);
      stdout.write(`${JSON.stringify(json)}\n`);
      if (lossy)
        stderr.write('note: JSON cannot hold all of this value; --format inspect or cbor can\n');
    }
  }
}

const inspectDepth = 8;
