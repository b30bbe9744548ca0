import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq status`: how things stand. */
export class StatusCommand extends JugqCommand {
  static override paths = [['status']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'how many tasks of each function are failed, waiting, ready, running and finished',
    details:
      'Of the active runs, else of the newest; with a jugfile, of its tasks, which evaluates it. Says who works, who dispatches, and what keeps a run from moving.',
    examples: [
      ['The active runs', '$0 status'],
      ['A jugfile', '$0 status jugfile.ts'],
      ['And again every second', '$0 status --watch'],
    ],
  });

  jugfileAndArgs = Option.Rest({ name: 'jugfile' });
  run = Option.String('--run', { description: 'this run, by the beginning of its id' });
  all = Option.Boolean('--all', false, { description: 'all runs, over or not' });
  watch = Option.Boolean('--watch', false, { description: 'again every second until interrupted' });
  json = Option.Boolean('--json', false, {
    description: 'one JSON document; with --watch, one a line',
  });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { showStatus } = await import('../show-status.ts');
      const [jugfile, ...args] = this.jugfileAndArgs;
      return showStatus(session, {
        jugfile,
        args,
        run: this.run,
        all: this.all,
        watch: this.watch,
        json: this.json,
        context: this.context,
      });
    });
  }
}
