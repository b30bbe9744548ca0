import { Cli, Command, Option } from 'clipanion';
import { JugqError } from '../../core/errors.ts';
import { completionScript, shells } from '../completion.ts';
import { JugqCommand } from './base.ts';

/** `jugq completion`: teaches a shell. */
export class CompletionCommand extends JugqCommand {
  static override paths = [['completion']];
  static override usage = Command.Usage({
    category: 'Setting up',
    description: 'print a script by which bash, zsh or fish completes commands and options',
    examples: [
      ['For this bash', 'source <($0 completion bash)'],
      ['For this zsh', 'source <($0 completion zsh)'],
      ['For this fish', '$0 completion fish | source'],
    ],
  });

  shell = Option.String();

  override async execute(): Promise<number> {
    const shell = shells.find((each) => each === this.shell);
    if (shell === undefined) {
      throw new JugqError('USAGE', `expected bash, zsh or fish, got ${JSON.stringify(this.shell)}`);
    }
    const { loadCommands } = await import('../command-list.ts');
    const cli = Cli.from(await loadCommands(), { binaryName: 'jugq' });
    this.context.stdout.write(completionScript(shell, cli.definitions()));
    return 0;
  }
}
