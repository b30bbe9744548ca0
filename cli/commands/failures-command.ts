import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq failures`: what has failed and why, task by task. */
export class FailuresCommand extends JugqCommand {
  static override paths = [['failures']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'what has failed and why, task by task',
    details:
      'Of the active runs, else of the newest: function, arguments, attempts, worker, error with your own lines, and the last that the task printed. jugq status --failed groups them by cause.',
    examples: [
      ['All that has failed', '$0 failures'],
      ['One task', '$0 failures kmeans.q3fh'],
      ['All of one cause', '$0 failures --cause RangeError'],
    ],
  });

  patterns = Option.Rest({ name: 'task or pattern' });
  cause = Option.String('--cause', {
    description: 'only of this cause: its id, or the class of the error',
  });
  run = Option.String('--run', { description: 'of this run, by the beginning of its id' });
  json = Option.Boolean('--json', false, { description: 'one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { showFailures } = await import('../show-failures.ts');
      const { patterns, cause, run, json, context } = this;
      return showFailures(session, { patterns, cause, run, json, context });
    });
  }
}
