/** Scripts by which shells complete jugq's commands and options, made from the commands' own definitions. */
import type { Definition } from 'clipanion';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

interface Completed {
  readonly name: string;
  readonly about: string;
  readonly options: readonly { readonly names: readonly string[]; readonly about: string }[];
}

/** The script for a shell. */
export function completionScript(shell: Shell, definitions: readonly Definition[]): string {
  const commands = definitions.flatMap(completed);
  switch (shell) {
    case 'bash':
      return bash(commands);
    case 'zsh':
      return zsh(commands);
    case 'fish':
      return fish(commands);
  }
}

function completed({ path, description = '', options }: Definition): Completed[] {
  const name = path.split(' ').slice(1).join(' ');
  // The version is a flag that clipanion counts among the commands.
  if (name === '' || name.startsWith('-')) return [];
  const own = options.map((option) => ({
    names: option.definition.replace(/ #.*$/, '').split(','),
    about: oneLine(option.description ?? ''),
  }));
  const help = { names: ['-h', '--help'], about: 'show what the command does' };
  return [{ name, about: oneLine(description), options: [...own, help] }];
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function bash(commands: readonly Completed[]): string {
  const cases = commands.map(({ name, options }) => {
    const words = options.flatMap(({ names }) => names).join(' ');
    return `    ${name}) options="${words}" ;;`;
  });
  return `# jugq completion bash: put 'source <(jugq completion bash)' into ~/.bashrc
_jugq() {
  local word="\${COMP_WORDS[COMP_CWORD]}" options=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map((each) => each.name).join(' ')} --help --version" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
  case "$word" in
    -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
    # A name may hold spaces.
    *) local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _jugq jugq
`;
}

function zsh(commands: readonly Completed[]): string {
  const names = commands.map(({ name, about }) => `    ${quoted(`${name}:${about}`)}`);
  const cases = commands.map(({ name, options }) => {
    const specs = options.flatMap((option) =>
      option.names.map((each) =>
        quoted(`${each}[${option.about.replaceAll(/[[\]\\:]/g, '\\$&')}]`),
      ),
    );
    return `    ${name}) _arguments ${specs.join(' ')} '*:file:_files' ;;`;
  });
  return `#compdef jugq
# jugq completion zsh: put 'source <(jugq completion zsh)' into ~/.zshrc, after compinit
_jugq() {
  local -a commands
  commands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _jugq jugq
`;
}

/** @see https://fishshell.com/docs/current/cmds/complete.html */
function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, about, options }) => [
    `complete -c jugq -n __fish_use_subcommand -f -a ${name} -d ${quoted(about)}`,
    ...options.map(({ names, about: what }) => {
      const flags = names.map((each) =>
        each.startsWith('--') ? `-l ${each.slice(2)}` : `-s ${each.slice(1)}`,
      );
      const when = quoted(`__fish_seen_subcommand_from ${name}`);
      return `complete -c jugq -n ${when} ${flags.join(' ')} -d ${quoted(what)}`;
    }),
  ]);
  const head = "# jugq completion fish: put 'jugq completion fish | source' into config.fish";
  return [head, ...lines, ''].join('\n');
}

/** In single quotes, for any of the three. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’')}'`;
}
