/** `jugq init`: a first jugfile, and what it needs around it. */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { JugqError } from '../core/errors.ts';
import type { CommandContext } from './commands/base.ts';

/** A jugfile to begin with: it runs as it is. */
export const firstJugfile = `import { task } from 'jugq';

/** A task function: calls declare tasks, which workers run. Its name and its arguments are what a task is known by. */
const square = task(function square(x: number): number {
  return x * x;
});

/** A task may stand wherever another one takes a value: it gets the result. */
const sum = task(function sum(xs: readonly number[]): number {
  return xs.reduce((a, b) => a + b, 0);
});

const numbers = Array.from({ length: 10 }, (_, x) => x);

export const total = sum(numbers.map((x) => square(x)));
`;

/**
 * Writes a first jugfile; never over a file that is there.
 *
 * @throws JugqError `USAGE` if there is one, or it cannot be written
 */
export async function writeFirstJugfile(file: string, context: CommandContext): Promise<number> {
  const path = resolve(context.cwd, file);
  try {
    await writeFile(path, firstJugfile, { flag: 'wx' });
  } catch (cause) {
    const isThere = cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
    const reason = cause instanceof Error ? cause.message : String(cause);
    const why = isThere ? 'it is there already' : reason;
    throw new JugqError('USAGE', `cannot write ${file}: ${why}: name another file`, { cause });
  }
  context.stdout.write(`${file}\n`);
  for (const line of advice(file, path)) context.stderr.write(`${line}\n`);
  return 0;
}

/** What is still to be done; only what is missing. */
function advice(file: string, path: string): string[] {
  const around = findUpwards(dirname(path), 'package.json');
  const hasTypes = findUpwards(dirname(path), 'tsconfig.json') !== undefined;
  const isInstalled = findUpwards(dirname(path), join('node_modules', 'jugq')) !== undefined;
  return [
    ...(around === undefined
      ? ['there is no package.json: npm init -y && npm pkg set type=module']
      : []),
    ...(isInstalled
      ? []
      : ['for the types in your editor, install jugq here, too: npm install jugq']),
    ...(hasTypes
      ? []
      : [
          'for an editor that checks types, a tsconfig.json:',
          '  { "compilerOptions": { "strict": true, "target": "es2023", "module": "nodenext", "noEmit": true } }',
        ]),
    `run it with jugq run ${file}, then print its result with jugq get ${file} total`,
  ];
}

/** The nearest file or folder of this name, from a directory upwards. */
function findUpwards(from: string, name: string): string | undefined {
  for (let at = from; ; at = dirname(at)) {
    const path = join(at, name);
    if (existsSync(path)) return path;
    if (at === dirname(at)) return undefined;
  }
}
