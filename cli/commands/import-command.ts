import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq import`: take it up. */
export class ImportCommand extends JugqCommand {
  static override paths = [['import']];
  static override usage = Command.Usage({
    category: 'Tidying',
    description: 'take up what jugq export has written; nothing that is there is changed',
    details:
      'Says how many results are new, were there, or were there with another value, which stays. What was invalidated or cleaned up here comes back. Importing again does no harm, and goes on where an interrupted one ended. Import only from those whom you would let run code here: plans bring their code.',
    examples: [
      ['Restore', '$0 import backup.jugq.gz'],
      ['From another server', '$0 export --server nats://example.com - | $0 import -'],
    ],
  });

  file = Option.String();
  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { importProject } = await import('../import-project.ts');
      const { file, json, context } = this;
      return importProject(session, { file, json, context, stdin: context.stdin });
    });
  }
}
