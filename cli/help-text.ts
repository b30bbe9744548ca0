/** What `--help` prints: all commands on one screen, or all about one of them. */
import type { Cli, CommandClass } from 'clipanion';
import type { CommandContext } from './commands/base.ts';

/** Whether a command line asks for help, on which command if on one; undefined: it does not. */
export function helpWanted(
  argv: readonly string[],
): { readonly name: string | undefined } | undefined {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const [first, second] = own;
  if (first === undefined) return { name: undefined };
  if (first === 'help') return { name: second };
  if (!own.includes('--help') && !own.includes('-h')) return undefined;
  return { name: first.startsWith('-') ? undefined : first };
}

/** All commands by category, each with what it takes and does. */
export function overview(cli: Cli<CommandContext>): string {
  const commands = cli.definitions();
  const width = Math.max(...commands.map((each) => each.path.length));
  const lines = [`${String(cli.binaryLabel)} (version ${String(cli.binaryVersion)})`];
  for (const category of new Set(commands.map((each) => each.category))) {
    lines.push('', category?.trim() ?? '');
    for (const { path, description } of commands.filter((each) => each.category === category)) {
      lines.push(`  ${path.padEnd(width)}  ${description?.trim() ?? ''}`);
    }
  }
  lines.push('', 'More about one of them: jugq <command> --help', '');
  return lines.join('\n');
}

/** Usage, options and examples of one command. */
export function detailsOf(cli: Cli<CommandContext>, command: CommandClass<CommandContext>): string {
  // The library's name for the value of an option says nothing to anybody.
  return cli.usage(command, { detailed: true }).replaceAll(' #0', '=… ');
}
