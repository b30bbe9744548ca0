/** Runs other people's programs: always with an end, and with what they complained about in the error. */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { JugqError } from '../core/errors.ts';

/** What a program printed. */
export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

const outputBytesMax = 32 * 1024 * 1024;
const tailLines = 8;

/**
 * Runs a program to its end, in the C locale, so that its output can be read by a program.
 *
 * @throws JugqError `SERVER_FAILED` if it cannot be started, fails, or takes longer than `timeoutMs`; the message ends
 *   with the last lines of its stderr
 */
export async function runCommand(
  command: string,
  parameters: readonly string[],
  options: { readonly timeoutMs: number; readonly cwd?: string },
): Promise<CommandOutput> {
  const { timeoutMs, cwd } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      parameters,
      {
        encoding: 'utf8',
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: outputBytesMax,
        env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
        ...(cwd === undefined ? {} : { cwd }),
      },
      (error, stdout, stderr) => {
        if (error === null) {
          resolve({ stdout, stderr });
          return;
        }
        const how =
          error.killed === true
            ? `did not end within ${(timeoutMs / 1000).toString()} s`
            : reasonOf(error);
        const line = [command, ...parameters].join(' ');
        const tail = lastLines(stderr);
        reject(
          new JugqError('SERVER_FAILED', `${line}: ${how}${tail === '' ? '' : `: ${tail}`}`, {
            cause: error,
            fields: { command },
          }),
        );
      },
    );
    // A program that asks a question must fail rather than wait for ever.
    child.stdin?.end();
  });
}

/** The last lines of a program's output, on one line. */
export function lastLines(output: string): string {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  return lines.slice(-tailLines).join(' | ');
}

/** Whether a program of this name is on the PATH. */
export async function isCommand(name: string): Promise<boolean> {
  const directories = (process.env['PATH'] ?? '').split(delimiter).filter((each) => each !== '');
  for (const directory of directories) {
    const found = await access(join(directory, name), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}

function reasonOf(error: { readonly code?: unknown; readonly signal?: unknown }): string {
  if (typeof error.code === 'number') return `failed with exit status ${error.code.toString()}`;
  if (typeof error.signal === 'string') return `was ended by ${error.signal}`;
  return `could not be run (${String(error.code)})`;
}
