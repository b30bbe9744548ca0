import { Command, Option } from 'clipanion';
import { parseDuration } from '../../core/duration.ts';
import { isJugqError, JugqError } from '../../core/errors.ts';
import { JugqCommand } from './base.ts';

/** `jugq wait`: stay until a run is done. */
export class WaitCommand extends JugqCommand {
  static override paths = [['wait']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'wait until a run is done',
    details: 'Exit status 0: done; 1: tasks failed, the run was cancelled, or the time was up.',
    examples: [
      ['The newest run', '$0 wait'],
      ['A run, for an hour at most', '$0 wait 01KX --timeout 1h'],
    ],
  });

  run = Option.String({ required: false });
  timeout = Option.String('--timeout', { description: 'give up after this long, such as 10m' });
  json = Option.Boolean('--json', false, { description: 'print a line of JSON for each event' });

  override execute(): Promise<number> {
    const timeoutMs = this.timeoutMs();
    return this.withSession(async (session) => {
      const { waitForRun } = await import('../wait-for-run.ts');
      return waitForRun(session, this.run, { timeoutMs, json: this.json, context: this.context });
    });
  }

  private timeoutMs(): number | undefined {
    if (this.timeout === undefined) return undefined;
    try {
      return parseDuration(this.timeout);
    } catch (error) {
      if (!isJugqError(error)) throw error;
      throw new JugqError('USAGE', `--timeout: ${error.message}`, { cause: error });
    }
  }
}
