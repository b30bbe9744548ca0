import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq cancel`: end a run. */
export class CancelCommand extends JugqCommand {
  static override paths = [['cancel']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'cancel a run: nothing more of it is started; its results stay',
    details: 'Tasks that run for it alone are ended; what another active run needs goes on.',
    examples: [
      ['The newest run', '$0 cancel'],
      ['A run by the beginning of its id', '$0 cancel 01KX'],
    ],
  });

  run = Option.String({ required: false });
  json = Option.Boolean('--json', false, { description: 'print the run and its state as JSON' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { controlRun, cancelRun } = await import('../cancel-run.ts');
      const { run, json, context } = this;
      return controlRun(session, cancelRun, { run, json, context });
    });
  }
}
