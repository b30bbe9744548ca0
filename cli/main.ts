#!/usr/bin/env node
/**
 * The command line: the one place where errors become exit statuses.
 *
 * 0 done; 1 tasks failed, the answer is no, time was up, or the server is full; 2 the call or the jugfile is wrong; 3 no
 * usable server; 70 a bug of ours; 130 and 143 interrupted.
 */
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Builtins, Cli, UsageError, type CommandClass } from 'clipanion';
import { JugqError, type ErrorCode } from '../core/errors.ts';
import { JugqCommand, type CommandContext } from './commands/base.ts';
import { commandNames, isCommandName, loadCommand, loadCommands } from './command-list.ts';
import { callOf, detailsOf, overview, readCall } from './help-text.ts';
import { nearName } from './near-name.ts';

const statuses: Record<ErrorCode, number> = {
  RESULT_MISSING: 1,
  PARKED: 1,
  TIMED_OUT: 1,
  SERVER_FULL: 1,
  USAGE: 2,
  SETTINGS_INVALID: 2,
  JUGFILE_NOT_FOUND: 2,
  JUGFILE_SYNTAX: 2,
  JUGFILE_IMPORT: 2,
  JUGFILE_THREW: 2,
  FUNCTION_UNNAMED: 2,
  FUNCTION_CLASH: 2,
  FUNCTION_MISSING: 2,
  ARGUMENT_NOT_HASHABLE: 2,
  VALUE_NOT_STORABLE: 2,
  PART_MISSING: 2,
  FILE_NOT_FOUND: 2,
  TASK_USED_AS_VALUE: 2,
  TASK_OUTSIDE_PLAN: 2,
  UNKNOWN_EXPORT: 2,
  UNKNOWN_RUN: 2,
  AMBIGUOUS_ID: 2,
  VALUE_CORRUPT: 1,
  FORMAT_UNKNOWN: 3,
  SERVER_UNREACHABLE: 3,
  SERVER_REFUSED: 3,
  SERVER_TOO_OLD: 3,
  SERVER_NO_JETSTREAM: 3,
  SERVER_NOT_INSTALLED: 3,
  SERVER_ON_OTHER_HOST: 3,
  SERVER_FAILED: 3,
  STREAM_MISMATCH: 3,
  INTERRUPTED: 130,
  BUG: 70,
};

/** Runs a command line and gives its exit status; never throws. */
export async function runCli(
  argv: readonly string[],
  context: Omit<CommandContext, 'argv'>,
): Promise<number> {
  const cli = makeCli(context.colorDepth > 1);
  const full = { ...context, argv };
  try {
    const { name, isHelp } = readCall(argv);
    const wanted = await commandsOf(name);
    for (const command of wanted) cli.register(command);
    if (isHelp) {
      const texts =
        name === undefined ? [overview(cli)] : wanted.map((each) => detailsOf(cli, each));
      context.stdout.write(texts.join(''));
      return 0;
    }
    const command = cli.process(normalise(argv), full);
    // The version is clipanion's own command, which needs what only `run` gives it.
    if (!(command instanceof JugqCommand)) return await cli.run(command, full);
    return await command.validateAndExecute();
  } catch (error) {
    return report(error, { argv, context, callOf: (name) => callOf(cli, name) });
  }
}

function makeCli(enableColors: boolean): Cli<CommandContext> {
  const cli = new Cli<CommandContext>({
    binaryLabel: 'jugq: run an ordinary loop on as many machines as there are',
    binaryName: 'jugq',
    binaryVersion: version(),
    enableColors,
  });
  cli.register(Builtins.VersionCommand);
  return cli;
}

/** One alone, or all: to load and register all takes as long as a short command. */
async function commandsOf(name: string | undefined): Promise<CommandClass<CommandContext>[]> {
  if (name === undefined) return loadCommands();
  if (!isCommandName(name)) throw new UsageError(unknownCommand(name));
  return [await loadCommand(name)];
}

/** clipanion refuses `-j4`. What stands after `--` is the jugfile's. */
function normalise(argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  const rest = end === -1 ? [] : argv.slice(end);
  return [
    ...own.flatMap((each) => (/^-j\d+$/.test(each) ? ['-j', each.slice(2)] : [each])),
    ...rest,
  ];
}

interface Reporting {
  readonly argv: readonly string[];
  readonly context: Omit<CommandContext, 'argv'>;
  /** How a command is called. */
  readonly callOf: (name: string) => string;
}

function report(error: unknown, reporting: Reporting): number {
  const { argv, context } = reporting;
  const say = (text: string): void => void context.stderr.write(`${text}\n`);
  if (isUsage(error)) {
    say(`error: ${usageMessage(error, reporting)}`);
    return 2;
  }
  if (error instanceof JugqError) {
    say(`error: ${error.message}`);
    if (argv.includes('--debug')) say(error.stack ?? '');
    if (error.code === 'INTERRUPTED') return context.interrupted.reason === 'SIGTERM' ? 143 : 130;
    return statuses[error.code];
  }
  say(`error: a bug of jugq: please report it with this stack:`);
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 70;
}

function isUsage(error: unknown): error is Error {
  return (
    error instanceof UsageError ||
    (error instanceof Error && error.name === 'UnknownSyntaxError') ||
    (error instanceof Error && error.name === 'AmbiguousSyntaxError')
  );
}

/** clipanion's words without its listing of every candidate. */
function usageMessage(error: Error, { argv, callOf: callOfCommand }: Reporting): string {
  if (error instanceof UsageError) return error.message;
  const { name = '' } = readCall(argv);
  const [first = ''] = error.message.split('\n');
  if (first.startsWith('Not enough positional arguments'))
    return `something is missing: ${callOfCommand(name)}: see jugq ${name} --help`;
  const what = first.slice(0, 1).toLowerCase() + first.slice(1).replace(/\.$/, '');
  return `${what}: see jugq ${name === '' ? '' : `${name} `}--help`;
}

function unknownCommand(name: string): string {
  const near = /\.[cm]?[jt]s$/.test(name) ? `run ${name}` : nearName(name, commandNames);
  const meant = near === undefined ? '' : ` (did you mean jugq ${near}?)`;
  return `there is no command ${JSON.stringify(name)}${meant}: see jugq --help`;
}

function version(): string {
  const beside = import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json';
  const text = readFileSync(new URL(beside, import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

/** Whether this module is the program and not imported by a test. */
function isProgram(): boolean {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url);
}

async function main(): Promise<void> {
  const interrupted = new AbortController();
  const aborted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (interrupted.signal.aborted) aborted.abort(signal);
      interrupted.abort(signal);
    });
  }
  // A reader that has seen enough (`| head`) is no error, and one that is gone is nobody to talk to.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (stream === process.stderr) return;
      if (error.code === 'EPIPE') process.exit(0);
      process.stderr.write(`error: what was to be printed cannot be written: ${error.message}\n`);
      process.exit(1);
    });
  }
  const status = await runCli(process.argv.slice(2), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    colorDepth: process.stdout.isTTY ? process.stdout.getColorDepth() : 1,
    cwd: process.cwd(),
    interrupted: interrupted.signal,
    aborted: aborted.signal,
  });
  await Promise.all([process.stdout, process.stderr].map(handedOver));
  process.exit(status);
}

/** What is written to a pipe goes out later, and an exit would cut it off. */
function handedOver(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => {
      resolve();
    });
  });
}

if (isProgram()) await main();
