/** The command line that tries again what failed. */

/** Flags whose value must not show up in a log. */
const secretFlags: ReadonlySet<string> = new Set(['--token', '--password', '--nkey']);

/**
 * The same command line, as a shell takes it, without what would keep failures and with secrets left out.
 *
 * @param argv - without the program
 */
export function retryCommand(argv: readonly string[]): string {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const words = own.filter((each) => each !== '--keep-failed').map(withoutSecret);
  return ['jugq', ...words, ...(end === -1 ? [] : argv.slice(end))].map(quoted).join(' ');
}

function withoutSecret(word: string, at: number, words: readonly string[]): string {
  if (secretFlags.has(words[at - 1] ?? '')) return '…';
  const [flag = ''] = word.split('=', 1);
  if (word.includes('=') && secretFlags.has(flag)) return `${flag}=…`;
  return word.replace(/:\/\/[^/@]+@/g, '://…@');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./…-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
