import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq invalidate`: results that are wrong go. */
export class InvalidateCommand extends JugqCommand {
  static override paths = [['invalidate']];
  static override usage = Command.Usage({
    category: 'Changing',
    description: 'drop results, and all results that were made of them',
    details:
      'A pattern is the beginning of a function name (or of one of its parts after a slash), =name for just that function, /regex/, or the beginning of a task id. Says first which functions it hits; on a terminal it asks when a bare word hits more than one. Safe while workers run: what was computed from dropped results is not accepted. Run or plan the jugfile to compute them again; a run that is active does so at once.',
    examples: [
      ['All results of a function, and what depends on them', '$0 invalidate =kmeans'],
      ['See what would go', '$0 invalidate --dry-run kmeans'],
      ['One task', '$0 invalidate kmeans.q3fh'],
      ['A compound, and all that it is made of', '$0 invalidate --inner =twice'],
      ['What older code made, after planning with the new code', '$0 invalidate --stale'],
    ],
  });

  patterns = Option.Rest({ name: 'pattern' });
  stale = Option.Boolean('--stale', false, {
    description: 'only results that other code made than is planned now; no pattern: all of these',
  });
  inner = Option.Boolean('--inner', false, {
    description: 'of a compound the tasks inside of it, too; without it they stay',
  });
  dryRun = Option.Boolean('--dry-run', false, {
    description: 'change nothing; tell what would go',
  });
  yes = Option.Boolean('-y,--yes', false, { description: 'do not ask' });
  json = Option.Boolean('--json', false, { description: 'print what goes as JSON' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { runInvalidate } = await import('../run-invalidate.ts');
      const { patterns, stale, inner, dryRun, yes, json, context } = this;
      return runInvalidate(session, { patterns, stale, inner, dryRun, yes, json, context });
    });
  }
}
