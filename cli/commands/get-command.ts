import { Command, Option } from 'clipanion';
import { JugqError } from '../../core/errors.ts';
import { JugqCommand } from './base.ts';

const formats = ['json', 'inspect', 'cbor'] as const;
export type ResultFormat = (typeof formats)[number];

/** `jugq get`: print a result. */
export class GetCommand extends JugqCommand {
  static override paths = [['get']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'print a result: an export of a jugfile, or a task by the beginning of its id',
    details:
      'On a terminal the result is shown as Node would show it, elsewhere as JSON: a Map becomes an object or pairs, a Set or typed array an array, bytes base64, a Date or bigint text, NaN and undefined null; a note on stderr says so where that loses something. A result that is not there: nothing on stdout, exit status 1.',
    examples: [
      ['An export', '$0 get jugfile.ts best'],
      ['An export of a jugfile that takes arguments', '$0 get jugfile.ts best -- --seed=2'],
      ['A task', '$0 get kmeans.q3fh'],
      ['The bytes as they are stored', '$0 get jugfile.ts best --format cbor'],
    ],
  });

  what = Option.String();
  rest = Option.Rest();
  format = Option.String('--format', {
    description: 'json, inspect or cbor (default: by where it goes)',
  });
  json = Option.Boolean('--json', false, { description: 'the same as --format json' });

  override execute(): Promise<number> {
    const format = this.chosenFormat();
    return this.withSession(async (session) => {
      const { getExport, getTask } = await import('../get-result.ts');
      const { name, args } = this.named(this.rest);
      const output = { format, context: this.context };
      if (name === undefined) return getTask(session, this.what, output);
      return getExport(session, { jugfile: this.what, name, args }, output);
    });
  }

  private chosenFormat(): ResultFormat | undefined {
    if (this.json) return 'json';
    if (this.format === undefined) return undefined;
    const found = formats.find((each) => each === this.format);
    if (found !== undefined) return found;
    throw new JugqError('USAGE', `--format: expected json, inspect or cbor, got ${this.format}`);
  }
}
