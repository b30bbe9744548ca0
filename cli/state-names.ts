/** The states of a run's tasks in the words that users see. */
import type { CountedState } from '../core/records.ts';
import { state } from '../core/run-progress.ts';

/** By the number of the state. What nobody needs any more has served its purpose: it counts as finished. */
export const stateNames: Readonly<Record<number, CountedState>> = {
  [state.idle]: 'finished',
  [state.waiting]: 'waiting',
  [state.ready]: 'ready',
  [state.queued]: 'ready',
  [state.delayed]: 'waiting',
  [state.finished]: 'finished',
  [state.failed]: 'failed',
  [state.blocked]: 'blocked',
};
