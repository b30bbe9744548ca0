import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';
import type { CleanUpRequest } from '../show-clean-up.ts';

/** `jugq cleanup`: what nothing refers to goes. */
export class CleanupCommand extends JugqCommand {
  static override paths = [['cleanup']];
  static override usage = Command.Usage({
    category: 'Tidying',
    description: 'remove results that no kept run refers to, with old plans, bundles and blobs',
    details:
      'Kept are the results of all active runs, of the newest run of each jugfile with its arguments, and of the runs that --keep names. Of a jugfile that is given, what it declares now counts instead of its newest run with the same arguments; these follow --, and are those of its newest run if there are none. Its runs with other arguments stay. What a jugfile computed by cached() stays unless --target hits it. The records of all other runs go, too. Blobs and chunks that nothing refers to go after an hour. While a run is being planned nothing is removed: exit status 1. With --target only results of the tasks that match go, and nothing else.',
    examples: [
      ['See what would go', '$0 cleanup --dry-run'],
      ['Clean up', '$0 cleanup'],
      ['By what the jugfile declares now, without planning it', '$0 cleanup jugfile.ts'],
      ['Only what two functions left behind', '$0 cleanup --target =kmeans --target /^bic/'],
      ['Keep the results of two more runs', '$0 cleanup --keep 01KX --keep 01KY'],
    ],
  });

  jugfilesAndArgs = Option.Rest({ name: 'jugfile' });
  keep = Option.Array('--keep', [], {
    description: 'a run whose results stay, by the beginning of its id; may be repeated',
  });
  target = Option.Array('--target', [], {
    description: 'only results of tasks that match: a name, =name or /regex/; may be repeated',
  });
  dryRun = Option.Boolean('--dry-run', false, {
    description: 'remove nothing; tell what would go',
  });
  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { showCleanUp } = await import('../show-clean-up.ts');
      const { matchesTask, parsePatterns } = await import('../../core/patterns.ts');
      const { keep, dryRun, json, context } = this;
      const args = this.afterDashes();
      const jugfiles = this.jugfilesAndArgs.slice(0, this.jugfilesAndArgs.length - args.length);
      const patterns = parsePatterns(this.target);
      const target: CleanUpRequest['target'] =
        patterns.length === 0 ? undefined : (task) => matchesTask(patterns, task);
      return showCleanUp(session, { jugfiles, args, keep, target, dryRun, json, context });
    });
  }
}
