/** `jugq demo`: prime numbers, a step at a time, with the commands that a user would type. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../core/built-file.ts';
import { JugqError } from '../core/errors.ts';
import type { CommandContext } from './commands/base.ts';

const jugfile = `import { setTimeout as sleep } from 'node:timers/promises';
import { task } from 'jugq';

const isPrime = task(async function isPrime(n: number): Promise<boolean> {
  await sleep(50); // so that there is something to see
  for (let divisor = 2; divisor < n; divisor++) {
    if (n % divisor === 0) return false;
  }
  return true;
});

const primesAmong = task(function primesAmong(numbers: number[], answers: boolean[]): number[] {
  return numbers.filter((_, index) => answers[index]);
});

const numbers = Array.from({ length: 99 }, (_, index) => index + 2);
export const primes = primesAmong(numbers, numbers.map((n) => isPrime(n)));
`;

interface Step {
  readonly words: string;
  readonly command: readonly string[];
}

const steps: readonly Step[] = [
  {
    words: 'Calls to the functions made with task() declare tasks. How many are there?',
    command: ['count', 'jugfile.ts'],
  },
  {
    words: 'None has a result yet, so none is finished.',
    command: ['check', 'jugfile.ts'],
  },
  {
    words: 'Run them, on all cores. On other machines, "jugq worker" would join in.',
    command: ['run', 'jugfile.ts'],
  },
  { words: 'An export that is a task has a value now.', command: ['get', 'jugfile.ts', 'primes'] },
  {
    words: 'Results stay: run it again, and nothing is computed.',
    command: ['run', 'jugfile.ts'],
  },
  {
    words: 'Each result can tell where it came from.',
    command: ['describe', 'jugfile.ts', 'primes', '--width', '3'],
  },
];

/**
 * Shows what jugq does, with real commands in a directory of its own, which stays.
 *
 * @param directory - new or empty; undefined: a temporary one
 * @throws JugqError `USAGE` if the directory has anything in it
 */
export async function runDemo(
  directory: string | undefined,
  context: CommandContext,
): Promise<number> {
  const path = await makeDirectory(directory, context.cwd);
  const say = (text: string): void => void context.stdout.write(`${text}\n`);
  await writeFile(join(path, 'package.json'), '{ "name": "primes", "type": "module" }\n');
  await writeFile(join(path, 'jugfile.ts'), jugfile);
  say(`Which numbers up to 100 are prime? ${join(path, 'jugfile.ts')} asks:\n\n${jugfile}`);
  for (const { words, command } of steps) {
    say(`${words}\n\n$ jugq ${command.join(' ')}`);
    const status = await type(command, path, context);
    say('');
    // "Not done" is the answer of the check here, and no failure.
    if (status !== 0 && command[0] !== 'check') return status;
  }
  say(`Everything is in ${path}: change the jugfile and run it again.`);
  return 0;
}

async function makeDirectory(directory: string | undefined, cwd: string): Promise<string> {
  if (directory === undefined) return mkdtemp(join(tmpdir(), 'jugq-demo-'));
  const path = resolve(cwd, directory);
  if ((await prepared(path, directory)).length > 0) {
    throw new JugqError('USAGE', `${directory} is not empty: name a new directory for the demo`);
  }
  return path;
}

/** What is in the directory, which is made if it is not there. */
async function prepared(path: string, directory: string): Promise<string[]> {
  try {
    // What is above it has to be there: in some places of the system Node would try to make that for ever.
    if (!existsSync(path)) await mkdir(path);
    return await readdir(path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const message = `cannot use ${directory}: ${why}: name another directory for the demo`;
    throw new JugqError('USAGE', message, { cause });
  }
}

/** Runs a command as a user would, on a private server, whatever server is named elsewhere. */
async function type(
  command: readonly string[],
  cwd: string,
  { env, stdout, stderr, interrupted }: CommandContext,
): Promise<number> {
  const own = Object.entries(env).filter(
    ([name]) => !/^(?:JUGQ|NATS)_/.test(name) || name === 'JUGQ_NATS_SERVER',
  );
  const program = fileURLToPath(builtFile('cli/main.js'));
  const child = spawn(process.execPath, [program, ...command], {
    cwd,
    env: { ...Object.fromEntries(own), JUGQ_SERVER: 'off', JUGQ_PROJECT: 'primes' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.pipe(stdout, { end: false });
  child.stderr.pipe(stderr, { end: false });
  interrupted.addEventListener('abort', () => child.kill('SIGINT'), { once: true });
  const [status] = (await once(child, 'close')) as unknown[];
  return typeof status === 'number' ? status : 130;
}
