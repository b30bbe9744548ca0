/**
 * The documents keep their word: what the README shows is run and printed so, what it names is there.
 *
 * A block of the README whose fence names a file (`ts jugfile.ts`) is that file; one of `diff jugfile.ts` changes it; a
 * block of `console` holds commands after `$` and what they print. They are taken in their order, as by a reader.
 */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { Cli, type CommandClass } from 'clipanion';
import ts from 'typescript';
import type { CommandContext } from '../cli/commands/base.ts';
import { environmentName, rowOf, settingKeys } from '../cli/settings-table.ts';
import { formatDuration } from '../core/duration.ts';
import { userDirectory, type UserDirectory } from './kit/cli.ts';

/** What commands want to know of their surroundings, though these ones are never executed. */
const context: CommandContext = {
  ...Cli.defaultContext,
  cwd: '/',
  argv: [],
  interrupted: AbortSignal.abort(),
  aborted: AbortSignal.abort(),
};
const root = fileURLToPath(new URL('..', import.meta.url));
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const documents = [
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  ...markdownIn('docs'),
  ...markdownIn('examples'),
];

/** A fenced block: ```` ```ts jugfile.ts ````. */
interface Block {
  readonly language: string;
  readonly file: string;
  readonly text: string;
}

/** A command of a console block, and the lines that it prints there. */
interface Shown {
  readonly command: string;
  readonly lines: readonly string[];
}

const blocks = blocksIn(readme);

test('README: its files, commands and changes in their order: each prints what is shown', async (t) => {
  t.timeout(240_000);
  await using user = await userDirectory({
    'package.json': '{ "name": "pi", "type": "module" }\n',
  });
  let commands = 0;
  for (const block of blocks) {
    if (block.language === 'diff') await change(user, block);
    else if (block.file !== '') await user.write(block.file, block.text);
    if (block.language !== 'console') continue;
    for (const shown of commandsIn(block)) {
      commands++;
      compare(t, shown, await execute(user, shown.command));
    }
  }
  t.true(commands >= 8, `only ${commands.toString()} commands were found`);
});

test('README: its TypeScript compiles as a user has it', async (t) => {
  await using user = await userDirectory({});
  const files = blocks.filter((each) => each.language === 'ts');
  t.true(files.length >= 2);
  for (const { file, text } of files) await user.write(file, text);
  const program = ts.createProgram(
    files.map(({ file }) => join(user.path, file)),
    {
      noEmit: true,
      strict: true,
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      typeRoots: [join(root, 'node_modules', '@types')],
    },
  );
  const complaints = ts.getPreEmitDiagnostics(program).map(({ messageText }) => {
    return ts.flattenDiagnosticMessageText(messageText, '\n');
  });
  t.deepEqual(complaints, []);
});

test('README: commands that are only shown are ones that there are', async (t) => {
  const cli = Cli.from([...(await commandClasses()).values()]);
  const scripts = scriptsOf(await readFile(join(root, 'package.json'), 'utf8'));
  const lines = blocks
    .filter((each) => each.language === 'sh')
    .flatMap(({ text }) => text.split('\n'));
  for (const line of lines.map((each) => each.replace(/\s*#.*/, ''))) {
    const [program, ...args] = line.split(' ');
    if (program === 'npx' && args[0] === 'jugq')
      t.notThrows(() => cli.process(args.slice(1), context), line);
    const script = args[0] === 'run' ? args[1] : args[0] === 'test' ? 'test' : undefined;
    if (program === 'npm' && script !== undefined) t.true(scripts.includes(script), line);
  }
});

test('README: the table of commands has every command, with flags that it has', async (t) => {
  const rows = tableUnder('Commands').map(([call = '', text = '']) => {
    return {
      name: call.replace(/^`jugq (\w+).*/, '$1'),
      flags: text.match(/--?[a-z][a-z-]*/g) ?? [],
    };
  });
  const classes = await commandClasses();
  t.deepEqual(rows.map((each) => each.name).sort(), [...classes.keys()].sort());
  for (const { name, flags } of rows) {
    const command = classes.get(name);
    const usage =
      command === undefined ? '' : Cli.from([command]).usage(command, { detailed: true });
    for (const flag of flags.filter((each) => each.startsWith('-'))) {
      t.true(usage.includes(flag), `jugq ${name} has no ${flag}`);
    }
  }
});

test('README: the table of settings has every setting, its variables and its default', (t) => {
  const rows = tableUnder('Settings').map(([names = '', variables = '', fallback = '']) => {
    const keys = [...names.matchAll(/`(\w+)`/g)].map((match) => match[1] ?? '');
    return { keys, variables: variables.match(/\w+/g) ?? [], fallback };
  });
  t.deepEqual(
    rows.flatMap((each) => each.keys),
    [...settingKeys],
  );
  for (const { keys, variables, fallback } of rows) {
    const named = settingKeys
      .filter((key) => keys.includes(key))
      .map((key) => ({ key, row: rowOf(key) }));
    const expected = named.flatMap(({ key, row }) =>
      [environmentName(key), row.natsName ?? []].flat(),
    );
    t.deepEqual(variables, expected);
    for (const { key, row } of named) {
      if (key === 'threads' || row.fallback === undefined) continue;
      if (Array.isArray(row.fallback) && row.fallback.length === 0) continue;
      const shown =
        row.kind === 'duration' ? formatDuration(Number(row.fallback)) : inspect(row.fallback);
      t.is(fallback, `\`${shown.replace(/^(?:\[ )?'(.*)'(?: \])?$/, '$1')}\``, key);
    }
  }
});

for (const name of documents) {
  test(`${name}: its links and the source files that it names lead somewhere`, (t) => {
    const text = readFileSync(join(root, name), 'utf8');
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map((match) => match[1] ?? '');
    const sources = [...text.matchAll(/`((?:core|broker|worker|cli|test)\/[\w./-]*)`/g)];
    const lost = [
      ...links.filter((link) => !existsSync(join(root, dirname(name), link))),
      ...sources.map((match) => match[1] ?? '').filter((path) => !existsSync(join(root, path))),
    ];
    t.deepEqual(lost, []);
  });
}

function markdownIn(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : markdownIn(path);
    return entry.isFile() && entry.name.endsWith('.md') ? [path] : [];
  });
}

function blocksIn(text: string): Block[] {
  return [...text.matchAll(/^```(\S+) ?(.*)\n([^]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    file: match[2] ?? '',
    text: match[3] ?? '',
  }));
}

function commandsIn(block: Block): Shown[] {
  return block.text.split(/^\$ /m).flatMap((part) => {
    const [command = '', ...lines] = part.trimEnd().split('\n');
    return command === '' ? [] : [{ command, lines }];
  });
}

/** Replaces the lines with a minus by those with a plus. */
async function change(user: UserDirectory, { file, text }: Block): Promise<void> {
  const of = (sign: string): string => {
    const lines = text.split('\n').filter((line) => line.startsWith(sign));
    return lines.map((line) => line.slice(1)).join('\n');
  };
  const before = await readFile(join(user.path, file), 'utf8');
  if (!before.includes(of('-'))) throw new Error(`${file} has no ${of('-')}`);
  await user.write(file, before.replace(of('-'), of('+')));
}

interface Printed {
  readonly status: number | null;
  readonly lines: readonly string[];
}

async function execute(user: UserDirectory, command: string): Promise<Printed> {
  const words = command.split(' ');
  if (words[0] === 'npx' && words[1] === 'jugq') {
    const { status, stdout, stderr } = await user.run(...words.slice(2));
    return { status, lines: `${stdout}${stderr}`.trimEnd().split('\n') };
  }
  if (words[0] !== 'node') throw new Error(`a console block of the README runs ${command}`);
  return new Promise((resolve) => {
    const options = { cwd: user.path, env: user.env };
    execFile(process.execPath, words.slice(1), options, (error, stdout, stderr) => {
      const status = error === null ? 0 : Number(error.code ?? 1);
      resolve({ status, lines: `${stdout}${stderr}`.trimEnd().split('\n') });
    });
  });
}

/** Lines of the two streams have no order between them; after `…` there may be more. */
function compare(t: ExecutionContext, { command, lines }: Shown, printed: Printed): void {
  const expected = lines.filter((line) => line !== '…').flatMap(comparable);
  const actual = printed.lines.flatMap(comparable);
  const kept = lines.includes('…') ? actual.filter((line) => expected.includes(line)) : actual;
  t.deepEqual(kept.sort(), expected.sort(), `${command} printed:\n${printed.lines.join('\n')}`);
  t.is(printed.status, lines.some((line) => line.startsWith('✗')) ? 1 : 0, command);
}

/** A line without what differs from time to time; none for what is said only when something takes its time. */
function comparable(line: string): string[] {
  if (
    /^(?:starting|waiting for) (?:a|the) private nats-server|^planning: |^\d+\/\d+ tasks finished/.test(
      line,
    )
  )
    return [];
  return [
    line
      .replace(/\b01[0-9A-HJKMNP-TV-Z]{24}\b/, '<run>')
      .replace(/\(\d+\.\d s\)/, '<seconds>')
      .replace(/\b\d+(?:\.\d)? (?:ms|s)\b/g, '<duration>')
      .replace(/ {2,}/g, '  ')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/, '<time>')
      .replace(/^worker \S+-\d+-\w+:/, '<worker>:')
      .replace(/\d+ threads?,/, '<threads>,')
      .replace(/127\.0\.0\.1:\d+/, '<address>'),
  ];
}

/** Cells of the first table after a heading, without its head. */
function tableUnder(heading: string): string[][] {
  const [, section = ''] = readme.split(`\n## ${heading}\n`);
  const rows = /(?:^\|.*\n)+/m.exec(section)?.[0].trimEnd().split('\n').slice(2) ?? [];
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The commands by name, as they are in their files. */
async function commandClasses(): Promise<Map<string, CommandClass<CommandContext>>> {
  const folder = join(root, 'cli', 'commands');
  const classes = new Map<string, CommandClass<CommandContext>>();
  for (const file of readdirSync(folder).filter((each) => each.endsWith('-command.ts'))) {
    const module = (await import(join(folder, file))) as Record<string, unknown>;
    for (const value of Object.values(module).filter(isCommand)) {
      classes.set(value.paths?.[0]?.join(' ') ?? '', value);
    }
  }
  return classes;
}

function isCommand(value: unknown): value is CommandClass<CommandContext> {
  return typeof value === 'function' && 'paths' in value;
}

function scriptsOf(manifest: string): string[] {
  return Object.keys((JSON.parse(manifest) as { scripts: Record<string, string> }).scripts);
}
