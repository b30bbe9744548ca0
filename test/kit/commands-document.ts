/** `docs/commands.md`, made from the commands' own help. */
import { Cli } from 'clipanion';
import { loadCommands } from '../../cli/command-list.ts';
import { detailsOf } from '../../cli/help-text.ts';
import type { CommandContext } from '../../cli/commands/base.ts';

const introduction = `# Commands

What \`jugq <command> --help\` prints, without the options that all commands have: those stand at the end. Made by
\`npm run docs\`: change the commands, not this file.`;

/** The whole document. */
export async function commandsDocument(): Promise<string> {
  const commands = await loadCommands();
  const cli = Cli.from<CommandContext>(commands, { binaryName: 'jugq', enableColors: false });
  const helps = commands.map((command) => ({
    name: command.paths?.[0]?.join(' ') ?? '',
    lines: detailsOf(cli, command)
      .trim()
      .split('\n')
      .map((line) => line.trimEnd()),
  }));
  const optionsOf = (lines: readonly string[]): string[] =>
    lines.flatMap((line) => option(line) ?? []);
  const [first, ...others] = helps.map(({ lines }) => optionsOf(lines));
  const shared = (first ?? []).filter((each) => others.every((own) => own.includes(each)));
  const sections = helps.map(({ name, lines }) => {
    const own = lines.filter((line) => !shared.includes(option(line) ?? ''));
    return section(`jugq ${name}`, withoutEmpty(own));
  });
  return `${[introduction, ...sections, section('Options of all commands', shared)].join('\n\n')}\n`;
}

/** An option in a help text, however its columns are set; undefined: another line. */
function option(line: string): string | undefined {
  const [, flag, about] = /^ {2}(-\S+) {2,}(.*)$/.exec(line) ?? [];
  return flag === undefined || about === undefined ? undefined : `${flag}  ${about}`;
}

/** A heading of options without any goes, too. */
function withoutEmpty(lines: readonly string[]): string[] {
  const at = lines.indexOf('Options');
  const hasSome = at !== -1 && option(lines[at + 2] ?? '') !== undefined;
  return hasSome || at === -1 ? [...lines] : lines.toSpliced(at, 3);
}

function section(title: string, lines: readonly string[]): string {
  return `## ${title}\n\n\`\`\`text\n${lines.join('\n')}\n\`\`\``;
}
