import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq init`: the first jugfile. */
export class InitCommand extends JugqCommand {
  static override paths = [['init']];
  static override usage = Command.Usage({
    category: 'Setting up',
    description: 'write a first jugfile, and say what it needs around it',
    details: 'Writes only the jugfile, and never over a file that is there.',
    examples: [
      ['jugfile.ts', '$0 init'],
      ['Another name', '$0 init analysis.ts'],
    ],
  });

  file = Option.String({ required: false });

  override async execute(): Promise<number> {
    const { writeFirstJugfile } = await import('../first-jugfile.ts');
    return writeFirstJugfile(this.file ?? 'jugfile.ts', this.context);
  }
}
