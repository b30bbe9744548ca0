/** `jugq server`. */
import { installServer } from '../broker/server-install.ts';
import type { CommandContext } from './commands/base.ts';

/** Makes sure that there is a nats-server. */
export async function installOnly(context: CommandContext): Promise<number> {
  const binary = await installServer((line) => context.stderr.write(`${line}\n`));
  context.stdout.write(`${binary.path}\n`);
  return 0;
}
export function keepServer(_o: unknown): Promise<number> {
  return Promise.resolve(0);
}
