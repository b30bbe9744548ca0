/** From a task's arguments, as they travel, to the call of its function. */
import { openArguments } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import { functionsIn, resolveReference } from '../core/references.ts';
import { literalName, stageRunOf } from '../core/stages.ts';
import type { Source } from '../core/task.ts';
import type { BundleImport } from './importing.ts';
import { decodedOnce } from './read-back.ts';
import type { RunnableTask } from './task-protocol.ts';

/** Finds a function that a task needs. */
export type FindFunction = (name: string) => Promise<Source>;

/**
 * Finds every function that a task needs. Those that derive parts for it are called with it: they are user code.
 *
 * @throws what `find` throws; JugqError `VALUE_CORRUPT`
 */
export async function prepareCall(
  task: RunnableTask,
  functionName: string,
  find: FindFunction,
): Promise<() => unknown> {
  const run = await find(functionName);
  const { references, fill } = openArguments(task.arguments);
  const functions = new Map<string, Source>();
  for (const name of references.flatMap(functionsIn)) {
    if (!functions.has(name)) functions.set(name, await find(name));
  }
  const from = {
    input: decodedOnce(task.inputs),
    functionNamed: (name: string) => functions.get(name) ?? never(name),
  };
  return () => {
    const args = fill(references.map((each) => resolveReference(each, from)));
    return run(...(args as never[]));
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
  if (found !== undefined) return found;
  throw new JugqError(
    'FUNCTION_MISSING',
    `the jugfile has no function ${name} when a worker loads it: ${bundle.file}: declare it at the top level, not in the plan function and not behind a condition`,
  );
}

function never(name: string): never {
  throw new JugqError('BUG', `the function ${name} was found a moment ago`);
}
