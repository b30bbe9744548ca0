/** What a workload is. */

/** A figure to reach: of the measured value itself, or of its ratio to the floor. */
export interface Goal {
  readonly of: 'value' | 'ratio';
  readonly bound: 'at least' | 'at most';
  readonly limit: number;
}

/** Something that jugq does, measured through its commands. */
export interface Workload {
  readonly name: string;
  /** What is measured, in a few words. */
  readonly what: string;
  readonly unit: string;
  readonly goal?: Goal;
  /** How often it is measured; the floor just as often, in turn with it. */
  readonly repeats: number;
  /** It takes minutes: measured only when it is asked for by name. */
  readonly isLong?: boolean;
  /**
   * Measures once, or a few times when the preparation takes long.
   *
   * @throws Error if a result is wrong: then the time says nothing
   */
  measure(binary: string): Promise<readonly number[]>;
  /** The same work without jugq, in the same unit. */
  floor?(binary: string): Promise<number>;
}

/** @throws Error with both if they differ */
export function expectEqual(what: string, got: number, expected: number): void {
  if (got !== expected) throw new Error(`${what}: expected ${expected}, got ${got}`);
}

/** Values that must all be numbers, in ascending order. */
export function sortedNumbers(values: readonly unknown[]): number[] {
  return values
    .map((value) => {
      if (typeof value !== 'number') throw new Error(`expected a number, got ${typeof value}`);
      return value;
    })
    .sort((a, b) => a - b);
}
