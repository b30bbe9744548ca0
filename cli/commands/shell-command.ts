import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq shell`: a prompt. */
export class ShellCommand extends JugqCommand {
  static override paths = [['shell']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'a Node prompt with the exports of a jugfile, and values of its tasks',
    details:
      'At the prompt: value(x) for the value of a task, an id, or a structure of tasks; tasks({ state, name }) lists tasks; describe(x) tells where a result came from; invalidate(x) lets results go, with all that was made of them; exports are there by their names. await works at the top level. What was typed is kept in $XDG_STATE_HOME/jugq. Without a terminal the lines of stdin are evaluated: exit status 1 if one of them threw.',
    examples: [
      ['A prompt', '$0 shell jugfile.ts'],
      ['One line', "echo 'await value(best)' | $0 shell jugfile.ts"],
    ],
  });

  jugfile = Option.String();
  args = Option.Rest();

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { openShell } = await import('../shell.ts');
      const { jugfile, args, context } = this;
      return openShell(session, { jugfile, args, context });
    });
  }
}
