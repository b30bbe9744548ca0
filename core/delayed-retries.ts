/** Retries that are not yet due. */
import { fact, setFact, type RunProgress } from './run-progress.ts';

/** Lets the retries go that are due at `now` (epoch ms). */
export function wakeDelayed(run: RunProgress, now: number): void {
  for (const task of run.delayed) {
    if ((run.failures.get(task)?.dueAt ?? 0) > now) continue;
    run.delayed.delete(task);
    setFact(run, task, fact.delayed, false);
  }
}

/** When the next retry is due, epoch ms; Infinity if none is. */
export function nextDue(run: RunProgress): number {
  let next = Infinity;
  for (const task of run.delayed) next = Math.min(next, run.failures.get(task)?.dueAt ?? 0);
  return next;
}
