/** Gets everything ready that a call of a task's function needs. */
import { openArguments } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import { functionsIn, resolveReference } from '../core/references.ts';
import type { Source } from '../core/task.ts';
import { decodedOnce } from './read-back.ts';
import type { RunnableTask } from './task-protocol.ts';

/**
 * Finds every function that a task needs. Those that derive parts for it are called as part of it: they are user code.
 *
 * @param find - rejects where there is no function of that name
 * @returns calls the function with its arguments
 */
export async function prepareCall(
  functionName: string,
  task: Pick<RunnableTask, 'arguments' | 'inputs'>,
  find: (name: string) => Promise<Source>,
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

function never(name: string): never {
  throw new JugqError('BUG', `the function ${name} was found a moment ago`);
}
