import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq cancel`: end a run, or take tasks out of the runs that are active. */
export class CancelCommand extends JugqCommand {
  static override paths = [['cancel']];
  static override usage = Command.Usage({
    category: 'Running',
    description: 'cancel a run, or tasks and what depends on them; what is finished stays',
    details:
      "Without a pattern a run: nothing more of it is started. With patterns (the beginning of a function's name, =name, /regex/ or the beginning of a task id) tasks of all active runs, or of the one that --run names, with all that depends on them; the rest goes on, and a run of which nothing else is left ends as cancelled. Tasks that run for nobody else are ended. What is cancelled is not given up for ever: planning again declares it anew. A word that begins the id of a run means the run.",
    examples: [
      ['The newest run', '$0 cancel'],
      ['A run by the beginning of its id', '$0 cancel 01KX'],
      ['All tasks of a function, and what depends on them', '$0 cancel =kmeans'],
      ['One task', '$0 cancel kmeans.q3fh'],
    ],
  });

  patterns = Option.Rest({ name: 'run or pattern' });
  run = Option.String('--run', { description: 'of this run, by the beginning of its id' });
  json = Option.Boolean('--json', false, { description: 'one JSON document' });

  override execute(): Promise<number> {
    return this.withSession(async (session) => {
      const { patterns, json, context } = this;
      const { namesRun } = await import('../runs.ts');
      const [first, ...others] = patterns;
      const isRun =
        first === undefined || (others.length === 0 && (await namesRun(session.project, first)));
      if (isRun) {
        const { controlRun, cancelRun } = await import('../cancel-run.ts');
        return controlRun(session, cancelRun, { run: first ?? this.run, json, context });
      }
      const { showCancelledTasks } = await import('../cancel-tasks.ts');
      return showCancelledTasks(session, { patterns, run: this.run, json, context });
    });
  }
}
