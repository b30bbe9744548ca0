import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq pause`: let a run rest. */
export class PauseCommand extends JugqCommand {
  static override paths = [['pause']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'pause a run: nothing more of it is started until jugq resume',
    details: 'What has begun is finished, and its results count. Other runs go on.',
    examples: [
      ['The newest run', '$0 pause'],
      ['A run by the beginning of its id', '$0 pause 01KX'],
    ],
  });

  run = Option.String({ required: false });
  json = Option.Boolean('--json', false, { description: 'print the run and its state as JSON' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { controlRun, pauseRun } = await import('../cancel-run.ts');
      const { run, json, context } = this;
      return controlRun(session, pauseRun, { run, json, context });
    });
  }
}
