/** `jugq check`: whether everything that a jugfile declares has a result. */
import { ulid } from 'ulid';
import type { OpenProject } from '../broker/project.ts';
import type { RunId } from '../core/identifiers.ts';
import { addCounts, countedStates } from '../core/records.ts';
import { countsByFunction } from '../core/run-outlook.ts';
import type { CommandContext } from './commands/base.ts';
import type { Check } from './library-types.ts';
import type { LoadedJugfile } from './load-jugfile.ts';
import { lookAtJugfile, type NamedJugfile } from './look-at-jugfile.ts';
import { countOf } from './report.ts';
import type { Session } from './session.ts';
import { survey } from './submit-run.ts';

/** Compares what a jugfile declares with what is there; writes nothing. */
export async function checkLoaded(project: OpenProject, loaded: LoadedJugfile): Promise<Check> {
  const { progress, stale } = await survey(project, loaded, {
    id: ulid() as RunId,
    keepFailed: true,
  });
  const functions = countsByFunction(progress);
  const totals = addCounts(Object.values(functions));
  const parkedAt = loaded.waits.map((each) => each.place);
  // Intermediate results that were dropped and are not needed are in none of the counts.
  const isLeft = countedStates.some((state) => state !== 'finished' && totals[state] > 0);
  const done = !isLeft && parkedAt.length === 0;
  return { done, totals, functions, parkedAt, stale };
}

/** Says on one line whether a jugfile is done: exit status 0, or 1. */
export async function checkJugfile(
  session: Session,
  wanted: NamedJugfile & { readonly json: boolean; readonly context: CommandContext },
): Promise<number> {
  const { context, json, jugfile } = wanted;
  const check = await checkLoaded(session.project, await lookAtJugfile(session, wanted, context));
  context.stdout.write(
    `${json ? JSON.stringify({ jugfile, ...check }) : `${jugfile}: ${formatCheck(check)}`}\n`,
  );
  return check.done ? 0 : 1;
}

/** `done: 32 tasks`, or `not done: 8 of 32 tasks finished, 1 failed, 23 waiting`. */
export function formatCheck({ done, totals, parkedAt }: Check): string {
  const all = countedStates.reduce((sum, state) => sum + totals[state], 0);
  if (done) return `done: ${countOf(all, 'task')}`;
  const others = countedStates
    .filter((state) => state !== 'finished' && totals[state] > 0)
    .map((state) => `${totals[state].toString()} ${state}`);
  const parts = [`${totals.finished.toString()} of ${countOf(all, 'task')} finished`, ...others];
  if (parkedAt.length > 0) parts.push(`planning waits at ${parkedAt.join(' and ')}`);
  return `not done: ${parts.join(', ')}`;
}
