import { Command, Option } from 'clipanion';
import type { ExportRequest } from '../export-project.ts';
import { JugqCommand } from './base.ts';

/** `jugq export`: take it with you. */
export class ExportCommand extends JugqCommand {
  static override paths = [['export']];
  static override usage = Command.Usage({
    category: 'Tidying',
    description: 'write the results, plans and code of the project into one file',
    details:
      'To back up, to move to another server, to share. The file holds all that describe, get and a new plan need; not what is queued or failed. A name that ends in .gz is compressed; - is stdout. With --target only results of the tasks that match.',
    examples: [
      ['Back up', '$0 export backup.jugq.gz'],
      ['Only the results of a function', '$0 export --target =kmeans kmeans.jugq'],
      ['To another server', '$0 export - | $0 import --server nats://example.com -'],
    ],
  });

  file = Option.String();
  target = Option.Array('--target', [], {
    description: 'only results of tasks that match: a name, =name or /regex/; may be repeated',
  });
  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { exportProject } = await import('../export-project.ts');
      const { matchesTask, parsePatterns } = await import('../../core/patterns.ts');
      const patterns = parsePatterns(this.target);
      const target: ExportRequest['target'] =
        patterns.length === 0 ? undefined : (task) => matchesTask(patterns, task);
      const { file, json, context } = this;
      return exportProject(session, { file, target, json, context });
    });
  }
}
