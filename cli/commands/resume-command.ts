import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq resume`: let a paused run go on. */
export class ResumeCommand extends JugqCommand {
  static override paths = [['resume']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'let a paused run go on',
    details: 'Tasks that became ready meanwhile are published at once.',
    examples: [
      ['The newest run', '$0 resume'],
      ['A run by the beginning of its id', '$0 resume 01KX'],
    ],
  });

  run = Option.String({ required: false });
  json = Option.Boolean('--json', false, { description: 'print the run and its state as JSON' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { controlRun, resumeRun } = await import('../cancel-run.ts');
      const { run, json, context } = this;
      return controlRun(session, resumeRun, { run, json, context });
    });
  }
}
