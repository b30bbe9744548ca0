/** How long the tasks of `uneven.ts` take: most of them short, some very long, and the same each time. */

/** The functions: how many tasks each has, and their median. Those of one function differ, too. */
const kinds = [
  { name: 'scan', tasks: 160, medianMs: 20 },
  { name: 'parse', tasks: 80, medianMs: 60 },
  { name: 'fit', tasks: 24, medianMs: 240 },
  { name: 'simulate', tasks: 8, medianMs: 900 },
] as const;
/** Of the logarithms within a function. */
const deviation = 0.5;
const [leastMs, mostMs] = [5, 2000];
const seed = 20_250_101;

/** What a task does: sleep for so long, as a task of this function. */
export interface Uneven {
  readonly name: (typeof kinds)[number]['name'];
  readonly ms: number;
}

/** All tasks in the order in which they are declared, which says nothing of their durations. */
export function unevenTasks(): readonly Uneven[] {
  const random = randomNumbers(seed);
  return kinds
    .flatMap(({ name, tasks, medianMs }) =>
      Array.from({ length: tasks }, () => {
        const ms = Math.round(medianMs * Math.exp(deviation * normal(random)));
        return { at: random(), uneven: { name, ms: Math.min(mostMs, Math.max(leastMs, ms)) } };
      }),
    )
    .sort((a, b) => a.at - b.at)
    .map(({ uneven }) => uneven);
}

/** @see G. Box and M. Muller, "A Note on the Generation of Random Normal Deviates", 1958 */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/**
 * Numbers from 0 up to 1.
 *
 * @see mulberry32, T. Ettinger, 2017
 */
function randomNumbers(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
