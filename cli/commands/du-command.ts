import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq du`: what takes the room. */
export class DuCommand extends JugqCommand {
  static override paths = [['du']];
  static override usage = Command.Usage({
    category: 'Tidying',
    description: 'show how many bytes the results of each function take on the server',
    details:
      'Values in the bucket of the results and large ones in the object store, and beside them arguments, plans and code. Reads the heads of all results.',
    examples: [['The project', '$0 du']],
  });

  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { showUse } = await import('../disk-use.ts');
      return showUse(session, { json: this.json, context: this.context });
    });
  }
}
