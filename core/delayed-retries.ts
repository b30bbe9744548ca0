/** Retries that are not yet due. */
import { fact, setFact, type RunProgress } from './run-progress.ts';

/** Lets the retries go that are due at `now` (epoch ms). */
export function wakeDelayed(run: RunProgress, now: number): void {
  // There may be many, and this is asked with every event.
  if (now < run.dueFrom) return;
  run.dueFrom = Infinity;
  for (const task of run.delayed) {
    const dueAt = run.failures.get(task)?.dueAt ?? 0;
    if (dueAt > now) {
      run.dueFrom = Math.min(run.dueFrom, dueAt);
      continue;
    }
    run.delayed.delete(task);
    setFact(run, task, fact.delayed, false);
  }
}
