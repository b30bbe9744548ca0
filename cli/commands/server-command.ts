import { Command, Option } from 'clipanion';
import { JugqCommand } from './base.ts';

/** `jugq server`: the private server, kept up. */
export class ServerCommand extends JugqCommand {
  static override paths = [['server']];
  static override usage = Command.Usage({
    category: 'Servers',
    description: 'keep the private server of this directory up, until interrupted',
    details:
      'Without it the private server ends with the last command that uses it. With --host it listens for other machines too, and the line that starts a worker there is printed.',
    examples: [
      ['Keep it up', '$0 server'],
      ['For workers on other machines', '$0 server --host 192.168.1.20'],
      ['Only put a nats-server on this machine', '$0 server --install'],
    ],
  });

  host = Option.String('--host', { description: 'address to listen on for other machines' });
  sync = Option.String('--sync', {
    description: 'second or always: how often what is stored reaches the disk',
  });
  install = Option.Boolean('--install', false, {
    description: 'only make sure that there is a nats-server',
  });

  override async execute(): Promise<number> {
    const { keepServer, installOnly } = await import('../keep-server.ts');
    if (this.install) return installOnly(this.context);
    return keepServer(await this.loadSettings(), {
      host: this.host,
      sync: this.sync,
      context: this.context,
    });
  }
}
