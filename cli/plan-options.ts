/** What a command line says of the run that it plans. */
import { JugqError } from '../core/errors.ts';
import { matchingTasks, parsePatterns } from '../core/patterns.ts';
import type { LoadedJugfile } from './load-jugfile.ts';
import type { PlanRequest } from './plan-jugfile.ts';
import type { SubmitOptions } from './submit-run.ts';

/**
 * What a request says of its run.
 *
 * @throws JugqError `USAGE` if a target matches nothing
 */
export function optionsOf(
  { keepFailed, failFast, targets }: Pick<PlanRequest, 'keepFailed' | 'failFast' | 'targets'>,
  { path, graph, waits }: LoadedJugfile,
): SubmitOptions {
  if (targets.length === 0) return { keepFailed, failFast };
  for (const pattern of parsePatterns(targets)) {
    // What comes after a wait is not known yet.
    if (waits.length > 0 || matchingTasks(graph, [pattern]).length > 0) continue;
    const names = graph.functions.map((each) => each.name).join(', ');
    throw new JugqError(
      'USAGE',
      `no task of ${path} matches --target ${pattern.text}: its functions are ${names}`,
    );
  }
  return { keepFailed, failFast, targets };
}
