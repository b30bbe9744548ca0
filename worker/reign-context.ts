/** What the parts of a reign share: what is known, whom to tell, and what ends it. */
import type { OpenProject } from '../broker/project.ts';
import type { ResultNews } from '../core/heard-results.ts';
import type { DispatchEvent, DispatchState } from '../core/dispatch.ts';
import type { Trace } from './trace.ts';

export interface ReignContext {
  readonly project: OpenProject;
  readonly state: DispatchState;
  readonly trace: Trace;
  /** Takes in what happened; it is decided on with all else that one turn of the event loop brings. */
  readonly tell: (event: DispatchEvent) => void;
  /** Owns a promise: what fails leaves knowledge in doubt, so the reign ends and a new one reads everything again. */
  readonly guard: (doing: Promise<unknown>) => void;
  readonly isOver: () => boolean;
  /** This version is too old for a run: a candidate that is not is given the chance to dispatch. */
  readonly standBack: (run: string) => void;
  /** Writes the records of runs that have changed. */
  readonly writeRecords: () => void;
  /** Compares the ledger with the queue before long. */
  readonly sweepSoon: () => void;
}

/** The last entry of a result's key, as the dispatcher is told of it. */
export function resultEvent({ id, revision, present, ms }: ResultNews): DispatchEvent {
  return { kind: 'result', id, revision, present, ms };
}
