/** Intermediate results go when nothing needs them any more: `task(fn, { keep: false })`. */
import type { DispatchState, Instruction } from './dispatch-state.ts';
import { idOf, row } from './graph.ts';
import { isUnneeded, learnResult, state as states, type RunProgress } from './run-progress.ts';

/**
 * Orders the drop of intermediate results of which all dependents are finished, in every active run that declares them.
 *
 * A run in which one is still needed brings it up again when that has ended. What is ordered counts as gone at once, so
 * that the last that is told of a run is true; the marker that comes says the same, and if the server refuses it, because
 * the task has another entry by then, that entry comes instead.
 */
export function dropUnneeded(state: DispatchState, out: Instruction[]): void {
  for (const run of state.runs) {
    for (const task of run.unneeded.splice(0)) {
      const sharing = state.runs.flatMap((other) => {
        const theirs = other === run ? task : other.index.findIn(run.plan.graph, task);
        return theirs === -1 ? [] : [{ run: other, task: theirs }];
      });
      if (!sharing.every((each) => mayGo(each.run, each.task))) continue;
      const revision = run.revision[task] ?? 0;
      out.push({ kind: 'drop', id: idOf(run.plan.graph, task), revision });
      for (const each of sharing) {
        if (revision <= each.run.basis) each.run.droppedCached.add(each.task);
        learnResult(each.run, { task: each.task, revision, present: false });
      }
    }
  }
}

/** What is cancelled now may be wanted again. */
function mayGo(run: RunProgress, task: number): boolean {
  if (!isUnneeded(run, task)) return false;
  return row(run.dependents, task).every((each) => run.state[each] !== states.cancelled);
}
