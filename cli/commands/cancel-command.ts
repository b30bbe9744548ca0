import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq cancel`: end a run. */
export class CancelCommand extends JugqCommand {
  static override paths = [['cancel']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'cancel a run: nothing more of it is started; its results stay',
    examples: [
      ['The newest run', '$0 cancel'],
      ['A run by the beginning of its id', '$0 cancel 01KX'],
    ],
  });

  run = Option.String({ required: false });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { cancelRun } = await import('../cancel-run.ts');
      return cancelRun(session, this.run, this.context);
    });
  }
}
