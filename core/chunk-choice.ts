/** The choice of `chunk: 'auto'`. */
import type { CachedCall, StageItems } from './planning.ts';

/** A task of this length costs next to nothing beside its work, and little is lost with it. */
const taskMs = 1000;
/** So many tasks keep the workers of a few machines busy to the end. */
const tasksMin = 32;

/** How many items a task takes. */
export function chooseChunk(msEach: number | undefined, { items, otherwise }: StageItems): number {
  if (msEach === undefined) return otherwise;
  const fitting = Math.round(taskMs / Math.max(msEach, 0.001));
  return Math.max(1, Math.min(fitting, Math.ceil(items.length / tasksMin)));
}

/** What the choice is kept as. */
export function choiceOf({ functions, version, items }: StageItems): CachedCall {
  return { name: 'jugq/chunk', version, args: [functions[0], items] };
}
