/** What the library answers programs with: kept apart, so that no type of the NATS client reaches a user's compiler. */
import type { Counts } from '../core/records.ts';

/** How far the tasks of a jugfile are. */
export interface Check {
  /** Every task has a result, and planning waits for nothing. */
  readonly done: boolean;
  readonly totals: Counts;
  readonly functions: Readonly<Record<string, Counts>>;
  /** Where in the jugfile planning waits for results: what comes after is not known yet. */
  readonly parkedAt: readonly string[];
}
