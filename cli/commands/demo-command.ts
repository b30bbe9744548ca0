import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq demo`: see it work. */
export class DemoCommand extends JugqCommand {
  static override paths = [['demo']];
  static override usage = Command.Usage({
    category: 'Setting up',
    description: 'show what jugq does, with prime numbers, in a directory of its own',
    details:
      'The directory stays, to be played with. A private server is used, whatever server is set.',
    examples: [
      ['In a temporary directory', '$0 demo'],
      ['In a new directory', '$0 demo primes'],
    ],
  });

  directory = Option.String({ required: false });

  override async execute(): Promise<number> {
    const { runDemo } = await import('../demo.ts');
    return runDemo(this.directory, this.context);
  }
}
