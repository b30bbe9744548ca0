/** From a task's arguments, as they travel, to the call of its function. */
import { openArguments } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import { functionsIn, isFile, isLazy, type FileReference } from '../core/references.ts';
import { literalName, stageRunOf, stageRuns } from '../core/stages.ts';
import type { Source } from '../core/task.ts';
import { runProgram } from './external-program.ts';
import type { BundleImport } from './importing.ts';
import { lazyResult } from './lazy-result.ts';
import { OwnCopies } from './own-copies.ts';
import type { RunnableTask } from './task-protocol.ts';
import type { ResultReader } from './thread-link.ts';

/** A task's arguments, as far as they are known without its inputs. */
export interface OpenCall {
  /** The function that it calls, and those that derive parts for it: user code as well. */
  readonly functions: readonly string[];
  /** The files whose paths it takes. */
  readonly files: readonly FileReference[];
  /** The call with all values in it, by these functions and paths; throws what the functions throw. */
  readonly call: (found: ReadonlyMap<string, Source>, paths: FilePaths) => unknown;
}

/** Where on this machine the files are. */
export type FilePaths = ReadonlyMap<FileReference, string>;

/**
 * Reads what a task calls with what.
 *
 * @param reader - for results that the task loads itself
 * @throws JugqError `VALUE_CORRUPT`
 */
export function openCall(task: RunnableTask, functionName: string, reader: ResultReader): OpenCall {
  const { references, fill } = openArguments(task.arguments);
  return {
    functions: [functionName, ...references.flatMap(functionsIn)],
    files: references.filter(isFile),
    call: (found, paths) => {
      const functionNamed = (name: string): Source => found.get(name) ?? never(name);
      const run = functionNamed(functionName);
      if (references.length === 0) return run(...(fill([]) as never[]));
      const copies = new OwnCopies(task.inputs, functionNamed);
      const values = references.map((each) => {
        if (isFile(each)) return paths.get(each);
        return isLazy(each) ? lazyResult(each, copies.from, reader) : copies.resolve(each);
      });
      return run(...(fill(values) as never[]));
    },
  };
}

/**
 * A function of a bundle: of the user's, or one that jugq makes of the user's.
 *
 * @throws JugqError `FUNCTION_MISSING`; what the jugfile throws
 */
export async function functionOf(bundle: BundleImport, name: string): Promise<Source> {
  const own = name === literalName ? stageRunOf(name) : undefined;
  const found = own ?? (await bundle.find(name)) ?? stageRunOf(name);
  if (found === stageRuns.shell) return runProgram;
  if (found !== undefined) return found;
  throw new JugqError(
    'FUNCTION_MISSING',
    `the jugfile has no function ${name} when a worker loads it: ${bundle.file}: declare it at the top level, not in the plan function and not behind a condition`,
  );
}

function never(name: string): never {
  throw new JugqError('BUG', `the function ${name} was not looked for`);
}
