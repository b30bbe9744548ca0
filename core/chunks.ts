/** How a list is cut into chunks, one for each task. */

export interface Chunks {
  readonly count: number;
  /** The first item of a chunk. */
  startOf(chunk: number): number;
  /** The chunk that has this item. */
  holding(item: number): number;
}

/** Chunks of one size, of which the last may be shorter. */
export function equalChunks(length: number, size: number): Chunks {
  return {
    count: Math.ceil(length / size),
    startOf: (chunk) => chunk * size,
    holding: (item) => Math.floor(item / size),
  };
}

/**
 * Chunks of a size for each stretch of the list; the last chunk of a stretch may be shorter.
 *
 * @param stretches - where each begins and of which size its chunks are, in order, the first at 0
 */
export function stretchedChunks(
  length: number,
  stretches: readonly { readonly start: number; readonly size: number }[],
): Chunks {
  const starts: number[] = [];
  stretches.forEach(({ start, size }, at) => {
    const end = stretches[at + 1]?.start ?? length;
    for (let each = start; each < end; each += size) starts.push(each);
  });
  return {
    count: starts.length,
    startOf: (chunk) => starts[chunk] ?? length,
    holding: (item) => lastUpTo(starts, item),
  };
}

/** The items of each chunk. */
export function cut<T>(items: readonly T[], chunks: Chunks): T[][] {
  return Array.from({ length: chunks.count }, (_, chunk) =>
    items.slice(chunks.startOf(chunk), Math.min(chunks.startOf(chunk + 1), items.length)),
  );
}

/** The place of the last of ascending numbers that is not greater; -1 if there is none. */
function lastUpTo(numbers: readonly number[], most: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((numbers[middle] ?? Infinity) <= most) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
