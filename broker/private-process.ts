/** Tells whether processes that left a note of themselves still run. */
import { closeSync, constants, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { runCommand } from './server-command.ts';
import { setTimeout as delay } from 'node:timers/promises';

const commandTimeoutMs = 10_000;

/**
 * Whether the process still runs that had this number and `mark` on its command line.
 *
 * Numbers are used again, and a number alone could name anything by now.
 */
export async function isRunning(pid: number, mark: string): Promise<boolean> {
  if (!isSignalable(pid)) return false;
  return (await commandLine(pid)).includes(mark);
}

/**
 * Sends SIGTERM and waits; SIGKILL if that takes longer than `patienceMs`.
 *
 * @param mark - as for `isRunning`; a process without it is left alone
 */
export async function endProcess(pid: number, mark: string, patienceMs: number): Promise<void> {
  const until = performance.now() + patienceMs;
  if (!(await isRunning(pid, mark))) return;
  sendSignal(pid, 'SIGTERM');
  // A stopped process cannot take notice of the first.
  sendSignal(pid, 'SIGCONT');
  while (await isRunning(pid, mark)) {
    if (performance.now() > until) sendSignal(pid, 'SIGKILL');
    await delay(20);
  }
}

/** Makes a named pipe, if it is not there and the file system has such a thing. */
export async function makePipe(file: string): Promise<void> {
  await runCommand('mkfifo', ['-m', '600', file], { timeoutMs: commandTimeoutMs }).catch(
    // Without one, `isHeldOpen` says that it does not know.
    () => undefined,
  );
}

/**
 * Opens the named pipe for reading, which shows to everybody on this kernel that somebody is there: whatever the
 * container, and until the last process that has inherited it is gone, however it ends.
 *
 * @returns a file descriptor to hand to children; undefined if there is no such pipe
 */
export function holdOpen(file: string): number | undefined {
  return tryOpen(file, constants.O_RDONLY | constants.O_NONBLOCK).fd;
}

/** Whether any process on this kernel holds the pipe; undefined if there is none that could tell. */
export function isHeldOpen(file: string): boolean | undefined {
  const { fd, code } = tryOpen(file, constants.O_WRONLY | constants.O_NONBLOCK);
  if (fd !== undefined) closeSync(fd);
  return code === 'ENXIO' ? false : fd !== undefined ? true : undefined;
}

function tryOpen(file: string, flags: number): { fd?: number; code?: string } {
  try {
    return { fd: openSync(file, flags) };
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return { code: String(error.code) };
  }
}

function isSignalable(pid: number): boolean {
  return sendSignal(pid, 0);
}

function sendSignal(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    // Gone, or another user's: in both cases not ours.
    return false;
  }
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    // A process that has ended but was not collected has an empty one.
    return readFile(`/proc/${pid.toString()}/cmdline`, 'utf8').catch(() => '');
  }
  const { stdout } = await runCommand('ps', ['-ww', '-o', 'args=', '-p', pid.toString()], {
    timeoutMs: commandTimeoutMs,
  }).catch(() => ({ stdout: '' }));
  return stdout;
}
