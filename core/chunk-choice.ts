/**
 * The choice of `chunk: 'auto'`.
 *
 * It is made once for each stretch of a list, of which each is as long as all before it, and kept: a list that grows at its
 * end is shared out as before, so that finished chunks count, and what is new by what is known then.
 */
import type { CachedCall, StageItems } from './planning.ts';

/** A task of this length costs next to nothing beside its work, and little is lost with it. */
const taskMs = 1000;
/** So many tasks keep the workers of a few machines busy to the end. */
const tasksMin = 32;
/** Items of the first stretch. */
const firstLength = 32;

/** Where the stretches of a list begin. */
export function stretchesOf(length: number): number[] {
  const starts: number[] = [];
  for (let start = 0; start < length; start = Math.max(firstLength, 2 * start)) starts.push(start);
  return starts;
}

/** How many items a task takes. */
export function chooseChunk(msEach: number | undefined, { count, otherwise }: StageItems): number {
  if (msEach === undefined) return otherwise;
  const fitting = Math.round(taskMs / Math.max(msEach, 0.001));
  return Math.max(1, Math.min(fitting, Math.ceil(count / tasksMin)));
}

/** What the choice is kept as: a stretch is known by where it is and what it begins with. */
export function choiceOf({ functions, version, start, item }: StageItems): CachedCall {
  return { name: 'jugq/chunk', version, args: [functions[0], start, item] };
}
