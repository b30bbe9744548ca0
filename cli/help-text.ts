/** What `--help` prints: all commands on one screen, or all about one of them. */
import type { Cli, CommandClass } from 'clipanion';
import type { CommandContext } from './commands/base.ts';

/** What a command line is about: the command that it names, if any, and whether it asks for help instead of it. */
export function readCall(argv: readonly string[]): {
  readonly name: string | undefined;
  readonly isHelp: boolean;
} {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const [first, second] = own;
  if (first === undefined || first === 'help') return { name: second, isHelp: true };
  const name = first.startsWith('-') ? undefined : first;
  return { name, isHelp: own.includes('--help') || own.includes('-h') };
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
  // The library's name for the value of an option says nothing to anybody, nor do its dots for what may follow.
  return cli
    .usage(command, { detailed: true })
    .replaceAll(' #0', '=… ')
    .replace(/(\$ \S*jugq (\w+)[^\n]*?) \.\.\./, (_, before: string, name: string) =>
      [before, rests[name] ?? '...'].join(' '),
    );
}

/** `jugq get <what> [export] [-- arguments…]`: how a command is called, without its options. */
export function callOf(cli: Cli<CommandContext>, name: string): string {
  const { usage = '' } = cli.definitions().find((each) => each.path === `jugq ${name}`) ?? {};
  const positionals = usage.replaceAll(/\[-[^\]]*\]/g, '').match(/<\w+>|\[\w+\]/g) ?? [];
  return ['jugq', name, ...positionals, ...(rests[name] === undefined ? [] : [rests[name]])].join(
    ' ',
  );
}

/** What may follow in any number. */
const rests: Readonly<Record<string, string>> = {
  run: '[arguments…]',
  plan: '[arguments…]',
  status: '[jugfile] [arguments…]',
  check: '[arguments…]',
  count: '[arguments…]',
  get: '[export] [-- arguments…]',
  describe: '[export] [-- arguments…]',
  exec: '[export] [-- arguments…]',
  shell: '[arguments…]',
  graph: '[jugfile or run] [arguments…]',
  cancel: '[run or pattern…]',
  failures: '[task or pattern…]',
  retry: '[task or pattern…]',
  invalidate: '[pattern…]',
  cleanup: '[jugfile…] [-- arguments…]',
};
