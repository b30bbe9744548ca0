import { Command, Option } from 'clipanion';
import { JugqError } from '../../core/errors.ts';
import type { GraphFormat } from '../draw-graph.ts';
import { JugqCommand } from './base.ts';

const formats = ['svg', 'dot', 'mermaid', 'html'] as const;

/** What files of some formats are called as well. */
const endings: Readonly<Record<string, GraphFormat>> = { mmd: 'mermaid', gv: 'dot' };

/** `jugq graph`: a picture of the plan. */
export class GraphCommand extends JugqCommand {
  static override paths = [['graph']];
  static override usage = Command.Usage({
    category: 'Looking',
    description: 'draw the functions of a jugfile or run, or its tasks, coloured by state',
    details:
      'Of a jugfile, which is evaluated, or of the stored plan of a run; without either of the newest run. Needs no installation of Graphviz. The format follows the name of the file if --format is not given; on stdout it is dot. Pictures of more than 20,000 boxes and arrows may take for ever, so that --limit has to allow them; dot, mermaid and JSON hold any number.',
    examples: [
      ['The newest run, as a picture', '$0 graph -o plan.svg'],
      ['A jugfile, for a README', '$0 graph jugfile.ts --format mermaid'],
      ['Each task by itself', '$0 graph jugfile.ts --tasks -o tasks.html'],
    ],
  });

  whatAndArgs = Option.Rest({ name: 'jugfile or run' });
  format = Option.String('--format', { description: 'svg, dot, mermaid or html' });
  tasks = Option.Boolean('--tasks', false, { description: 'a box for each task' });
  limit = Option.String('--limit', {
    description: 'with --tasks: boxes and arrows of an svg or html at most (20000)',
  });
  output = Option.String('-o,--output', { description: 'write to this file' });
  json = Option.Boolean('--json', false, { description: 'boxes and arrows as one JSON document' });

  override execute(): Promise<number> {
    const format = this.chosenFormat();
    return this.withSession(async (session) => {
      const { drawGraph } = await import('../draw-graph.ts');
      const { tasks, output, json, context } = this;
      const limit = this.wholeNumber('--limit', this.limit);
      const [what, ...args] = this.whatAndArgs;
      return drawGraph(session, { what, args, format, tasks, limit, output, json, context });
    });
  }

  private chosenFormat(): GraphFormat {
    const { output } = this;
    const ending = /\.(\w+)$/.exec(output ?? '')?.[1];
    const wanted = this.format ?? endings[ending ?? ''] ?? ending ?? (output ? 'svg' : 'dot');
    const found = formats.find((each) => each === wanted);
    if (found !== undefined) return found;
    const message =
      this.format === undefined
        ? `-o ${output ?? ''}: expected a name that ends in .svg, .dot, .mmd or .html, or --format with svg, dot, mermaid or html`
        : `--format: expected svg, dot, mermaid or html, got ${this.format}`;
    throw new JugqError('USAGE', message);
  }
}
