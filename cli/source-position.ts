/** From offsets in generated code to places in the sources it was made from. */
import { traceSegment, TraceMap } from '@jridgewell/trace-mapping';

/** A place in a source file. */
export interface SourcePosition {
  /** Name of the source, exactly as the map has it. */
  readonly source: string;
  /** Counts from 1. */
  readonly line: number;
  /** Counts from 0, in UTF-16 units. */
  readonly column: number;
}

/** What the map says of one offset; undefined for code that comes from no source. */
export type PositionFinder = (offset: number) => SourcePosition | undefined;

/**
 * A look-up in one source map.
 *
 * Reads segments and not `originalPositionFor`: that resolves names as file paths, and takes `jugfile:../../a.ts` apart.
 *
 * @param code - the generated code
 * @param map - its source map
 */
export function positionFinder(code: string, map: TraceMap): PositionFinder {
  const starts = lineStartsOf(code);
  return (offset) => {
    const line = lastAtMost(starts, offset);
    const segment = traceSegment(map, line, offset - (starts[line] ?? 0));
    if (segment === null || segment.length === 1) return undefined;
    const source = map.sources[segment[1]];
    return typeof source === 'string'
      ? { source, line: segment[2] + 1, column: segment[3] }
      : undefined;
  };
}

function lineStartsOf(code: string): number[] {
  const starts = [0];
  for (let at = code.indexOf('\n'); at >= 0; at = code.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Index of the last of these ascending numbers that is not above `limit`; the first is never above it. */
function lastAtMost(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((ascending[middle] ?? Infinity) <= limit) low = middle;
    else high = middle - 1;
  }
  return low;
}
