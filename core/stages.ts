/**
 * What the tasks run that jugq itself declares. Their functions' names end in the name of the stage, after those of the
 * user's functions: `square/map`. The user's functions come as arguments, so that a worker finds them as it finds any.
 */
import { JugqError } from './errors.ts';
import type { Source } from './task.ts';

/** The function of the task that a literal is. */
export const literalName = 'jugq/literal';

type Call = (...args: readonly unknown[]) => unknown;

/** By the end of a function's name. */
export const stageRuns = {
  /** One result for each item, in order. */
  map: (f: Call, items: readonly unknown[]) => inTurn(items, (item) => f(item)),
  'star-map': (f: Call, items: readonly (readonly unknown[])[]) =>
    inTurn(items, (item) => f(...item)),
  reduce: (f: Call, items: readonly unknown[]) => reduceInTurn(f, items),
  'map-reduce': async (mapper: Call, reducer: Call, items: readonly unknown[]) =>
    reduceInTurn(reducer, await inTurn(items, (item) => mapper(item))),
  [literalName]: (value: unknown) => value,
  /** A worker does it itself: there are no programs in here. */
  shell: (): never => {
    throw new JugqError('BUG', 'a worker runs programs by itself');
  },
} satisfies Record<string, Source>;

/** What a function runs that jugq itself has named; undefined for a user's. */
export function stageRunOf(functionName: string): Source | undefined {
  if (functionName === literalName) return stageRuns[literalName];
  const end = functionName.slice(functionName.lastIndexOf('/') + 1);
  const isStage = end !== functionName && Object.hasOwn(stageRuns, end);
  return isStage ? stageRuns[end as keyof typeof stageRuns] : undefined;
}

async function inTurn<T>(items: readonly T[], f: (item: T) => unknown): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const item of items) results.push(await f(item));
  return results;
}

async function reduceInTurn(f: Call, items: readonly unknown[]): Promise<unknown> {
  let [result] = items;
  for (const item of items.slice(1)) result = await f(result, item);
  return result;
}
