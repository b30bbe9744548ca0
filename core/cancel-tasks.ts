/** Takes tasks out of a run that somebody does not want any more, with all that cannot be made without them. */
import { row } from './graph.ts';
import { matchingTasks, type Pattern } from './patterns.ts';
import { fact, holds, setFact, type RunProgress } from './run-progress.ts';

/**
 * Cancels the tasks that match and have no result, and what depends on them.
 *
 * What is finished stays, and so does what depends on finished tasks alone.
 */
export function cancelMatching(run: RunProgress, patterns: readonly Pattern[]): void {
  const { graph } = run.plan;
  run.cancelling = patterns.map((each) => each.text);
  const going = new Uint8Array(graph.count);
  for (const task of matchingTasks(graph, patterns)) going[task] = 1;
  for (let task = 0; task < graph.count; task++) {
    if (holds(run, task, fact.hasResult)) {
      going[task] = 0;
      continue;
    }
    if (row(graph.dependencies, task).some((dependency) => going[dependency] === 1))
      going[task] = 1;
    if (going[task] === 1) setFact(run, task, fact.cancelled, true);
  }
}
