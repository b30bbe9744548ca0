/** The states of a run's tasks in the words that users see. */
import { invariant } from '../core/errors.ts';
import type { TaskState } from '../core/records.ts';
import { state, type RunProgress } from '../core/run-progress.ts';

/** What nobody needs any more has served its purpose: it counts as finished. */
const stateNames: Readonly<Record<number, TaskState>> = {
  [state.idle]: 'finished',
  [state.waiting]: 'waiting',
  [state.ready]: 'ready',
  [state.queued]: 'ready',
  [state.delayed]: 'waiting',
  [state.finished]: 'finished',
  [state.failed]: 'failed',
  [state.blocked]: 'blocked',
  [state.cancelled]: 'cancelled',
  [state.dropped]: 'dropped',
} satisfies Record<(typeof state)[keyof typeof state], TaskState>;

/** The state of a task, in a word. */
export function stateName(run: RunProgress, task: number): TaskState {
  const name = stateNames[run.state[task] ?? -1];
  invariant(name !== undefined, 'each state of a task has a name');
  return name;
}
