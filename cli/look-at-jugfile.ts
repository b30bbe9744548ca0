/** Evaluates a jugfile for commands that only look at what it declares. */
import type { CommandContext } from './commands/base.ts';
import { newestArguments } from './get-result.ts';
import { loadJugfile, type LoadedJugfile } from './load-jugfile.ts';
import type { Session } from './session.ts';

/** A jugfile as a command line names it. */
export interface NamedJugfile {
  readonly jugfile: string;
  /** None: those of its newest run. */
  readonly args: readonly string[];
}

/**
 * Loads a jugfile without publishing anything; warnings are for those who plan it.
 *
 * @throws JugqError as `loadJugfile` does
 */
export async function lookAtJugfile(
  session: Session,
  named: NamedJugfile,
  context: Pick<CommandContext, 'stderr' | 'interrupted'>,
): Promise<LoadedJugfile> {
  return loadJugfile(named.jugfile, {
    cwd: session.cwd,
    args: named.args.length > 0 ? named.args : await newestArguments(session, named.jugfile),
    external: session.settings.external,
    store: session.store,
    onWarning: () => undefined,
    onProgress: (tasks) => context.stderr.write(`planning: ${tasks.toString()} tasks so far\n`),
    signal: context.interrupted,
  });
}
