import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq check`: is it done? */
export class CheckCommand extends JugqCommand {
  static override paths = [['check']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'say whether every task of a jugfile has a result',
    details:
      'Evaluates the jugfile and prints one line. Exit status 0: every task has a result; 1: some have none, or have failed. Arguments for the jugfile follow it; without any it gets those of its newest run.',
    examples: [
      ['A jugfile', '$0 check jugfile.ts'],
      ['In a script', '$0 check jugfile.ts && $0 get jugfile.ts best'],
      ['With arguments', '$0 check jugfile.ts fast -- --seed=2'],
    ],
  });

  jugfile = Option.String();
  args = Option.Rest();
  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { checkJugfile } = await import('../check-jugfile.ts');
      const { jugfile, args, json, context } = this;
      return checkJugfile(session, { jugfile, args, json, context });
    });
  }
}
