import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq describe`: where a result came from. */
export class DescribeCommand extends JugqCommand {
  static override paths = [['describe']];
  static override usage = Command.Usage({
    category: 'Looking',
    description:
      'tell where a result came from: function, arguments, worker, time, code, dependencies',
    details:
      'Of an export of a jugfile, or of a task by the beginning of its id, whether it has a result or not. What a task was called with is known from the newest stored plan that declares it. With --json one document; an array where an export holds several tasks.',
    examples: [
      ['A task', '$0 describe kmeans.q3fh'],
      ['An export', '$0 describe jugfile.ts best'],
      ['With all that it came from', '$0 describe jugfile.ts best --depth 99'],
    ],
  });

  what = Option.String();
  rest = Option.Rest();
  depth = Option.String('--depth', {
    description: 'how many steps of the dependencies are shown (default: 2)',
  });
  width = Option.String('--width', {
    description: 'how many dependencies of each task are shown (default: 10)',
  });
  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override execute(): Promise<number> {
    const depth = this.depth === '0' ? 0 : (this.wholeNumber('--depth', this.depth) ?? 2);
    const width = this.wholeNumber('--width', this.width) ?? 10;
    return this.withSession(async (session) => {
      const { showDescription } = await import('../show-description.ts');
      const { what, json, context } = this;
      const { name, args } = this.named(this.rest);
      const limits = { depth, width };
      return showDescription(session, { what, name, args, limits, json, context });
    });
  }
}
