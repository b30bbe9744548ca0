/** How long tasks of a function take, as far as the dispatcher has seen. */
import type { DispatchState } from './dispatch-state.ts';

export interface Duration {
  readonly seen: number;
  readonly meanMs: number;
  readonly fastestMs: number;
}

/** What was seen of each function. */
export interface Durations {
  /** Attempts that gave a result. */
  readonly finished: Map<string, Duration>;
  /** Attempts that failed: they tell something of the others only as long as there are none. */
  readonly failed: Map<string, Duration>;
}

/** Nothing was seen. */
export function startDurations(): Durations {
  return { finished: new Map(), failed: new Map() };
}

type Seen = Pick<DispatchState, 'durations'>;

/** Milliseconds that a task of this function is expected to take; 1 when nothing is known. */
export function expectedMs({ durations }: Seen, functionName: string): number {
  const known = durations.finished.get(functionName) ?? durations.failed.get(functionName);
  return Math.max(0.001, known?.meanMs ?? 1);
}

/**
 * Learns how long an attempt at a task of a function took.
 *
 * Its first calls are slow for reasons that pass (code is compiled, caches are filled): they count for a few of its
 * fastest at most.
 */
export function noteDuration(
  { durations }: Seen,
  outcome: keyof Durations,
  functionName: string,
  ms: number,
): void {
  const all = durations[outcome];
  const known = all.get(functionName) ?? { seen: 0, meanMs: ms, fastestMs: ms };
  const fastestMs = Math.min(known.fastestMs, ms);
  const isFirst = known.seen < firstCalls;
  const counted = isFirst ? Math.min(ms, firstShare * fastestMs) : ms;
  const before = isFirst ? Math.min(known.meanMs, firstShare * fastestMs) : known.meanMs;
  const weight = Math.max(1 / (known.seen + 1), 0.05);
  all.set(functionName, {
    seen: known.seen + 1,
    meanMs: before + weight * (counted - before),
    fastestMs,
  });
}

const firstCalls = 16;
const firstShare = 4;
const knownAfter = 8;

/** Whether attempts at tasks of the function have been seen, whatever came of them. */
export function isKnown({ durations }: Seen, functionName: string): boolean {
  const { finished, failed } = durations;
  return seenIn(finished, functionName) + seenIn(failed, functionName) >= knownAfter;
}

/** Whether tasks of the function were seen to finish: what fails at once may take hours once it does not. */
export function isProven({ durations }: Seen, functionName: string): boolean {
  return seenIn(durations.finished, functionName) >= knownAfter;
}

function seenIn(all: ReadonlyMap<string, Duration>, functionName: string): number {
  return all.get(functionName)?.seen ?? 0;
}
