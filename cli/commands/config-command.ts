import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq config`: what is set, and by whom. */
export class ConfigCommand extends JugqCommand {
  static override paths = [['config']];
  static override usage = Command.Usage({
    category: 'Setting up',
    description: 'show every setting, its value and where it came from',
    details: 'Asks no server. Secrets are masked.',
    examples: [
      ['What is in force here', '$0 config'],
      ['What a flag would change', '$0 config --server nats://example.com'],
    ],
  });

  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override async execute(): Promise<number> {
    const { showConfig } = await import('../show-config.ts');
    return showConfig(await this.loadSettings(), { json: this.json, context: this.context });
  }
}
