/** What the library answers programs with: kept apart, so that no type of the NATS client reaches a user's compiler. */
import type { Counts } from '../core/records.ts';

/** How far the tasks of a jugfile are. */
export interface Check {
  /** Every task has a result. */
  readonly done: boolean;
  readonly totals: Counts;
  readonly functions: Readonly<Record<string, Counts>>;
}
