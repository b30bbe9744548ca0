import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq count`: how much there is to do. */
export class CountCommand extends JugqCommand {
  static override paths = [['count']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'count the tasks that a jugfile declares, by function',
    details:
      'Evaluates the jugfile and asks no server. Each task is counted once, however often the jugfile calls for it. Where planning would wait for results the count ends, and a note on stderr says so.',
    examples: [
      ['A jugfile', '$0 count jugfile.ts'],
      ['With arguments', '$0 count jugfile.ts fast -- --seed=2'],
    ],
  });

  jugfile = Option.String();
  args = Option.Rest();
  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override async execute(): Promise<number> {
    const { countTasks } = await import('../count-tasks.ts');
    const { settings } = await this.loadSettings();
    const { jugfile, args, json, context } = this;
    return countTasks({ jugfile, args, external: settings.external, json, context });
  }
}
