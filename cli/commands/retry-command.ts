import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq retry`: try again what has failed. */
export class RetryCommand extends JugqCommand {
  static override paths = [['retry']];
  static override usage = Command.Usage({
    category: 'Changing',
    description: 'try again what has failed',
    details:
      'Of the active runs, else of the newest. An active run goes on with the tasks; one that had ended is taken up again from its stored plan, with the code of that plan. After mending a function, run or plan the jugfile again instead: that tries again what failed, with the new code.',
    examples: [
      ['Everything', '$0 retry --all'],
      ['One cause', '$0 retry --cause RangeError'],
      ['One task', '$0 retry kmeans.q3fh'],
    ],
  });

  patterns = Option.Rest({ name: 'task or pattern' });
  cause = Option.String('--cause', {
    description: 'only of this cause: its id, or the class of the error',
  });
  run = Option.String('--run', { description: 'of this run, by the beginning of its id' });
  all = Option.Boolean('--all', false, { description: 'everything that has failed' });
  json = Option.Boolean('--json', false, { description: 'one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { runRetry } = await import('../run-retry.ts');
      const { patterns, cause, run, all, json, context } = this;
      return runRetry(session, { patterns, cause, run, all, json, context });
    });
  }
}
