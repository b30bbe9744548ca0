import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq doctor`: what is wrong here. */
export class DoctorCommand extends JugqCommand {
  static override paths = [['doctor']];
  static override usage = Command.Usage({
    category: 'Setting up',
    description: 'look for what would keep jugq from working well here, and say what to do',
    details:
      'Node, packages with compiled code, settings, the server with its version, limits, room, permissions, distance and clock. Exit status 0: all is well, or only doubtful; 1: something is wrong; 3: no usable server.',
    examples: [
      ['What is used here', '$0 doctor'],
      ['A server before it is used', '$0 doctor --server nats://example.com --creds me.creds'],
    ],
  });

  json = Option.Boolean('--json', false, { description: 'print one JSON document' });

  override async execute(): Promise<number> {
    const { examine } = await import('../doctor.ts');
    const { showDiagnosis } = await import('../show-doctor.ts');
    const diagnosis = await examine({
      cwd: this.context.cwd,
      settings: () => this.loadSettings(),
      say: (line) => {
        this.say(line);
      },
      nodeVersion: process.version,
    });
    return showDiagnosis(diagnosis, { json: this.json, context: this.context });
  }
}
