/** Runs an external program for a task: its files, its streams, its end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { context } from '../core/context.ts';
import type { ShellCall, ShellInput, ShellResult } from '../core/external.ts';

/** More of a stream belongs into a file. */
const streamBytesMax = 64 * 1024 * 1024;
/** What is told of each stream when a program fails. */
const tailLength = 2000;
/** A program that is asked to end is given so long. */
const graceMs = 1000;

/** The program has not ended as it should. */
class ProgramFailed extends Error {
  override readonly name = 'ProgramFailed';
}

/**
 * Runs a program to its end.
 *
 * @throws ProgramFailed, with the exit status and the tails of its output
 */
export async function runProgram(call: ShellCall): Promise<ShellResult> {
  const { inputs = {}, outputs = [], cwd } = call;
  const needsDirectory = Object.keys(inputs).length > 0 || outputs.length > 0;
  const own =
    cwd === undefined && needsDirectory ? await mkdtemp(join(tmpdir(), 'jugq-shell-')) : undefined;
  const directory = own ?? resolve(cwd ?? '.');
  try {
    for (const [name, input] of Object.entries(inputs)) await provide(join(directory, name), input);
    const { stdout, stderr } = await run(call, directory);
    const left: Record<string, Uint8Array> = {};
    for (const name of outputs) left[name] = await collect(call, directory, name);
    return { stdout, stderr, outputs: left };
  } finally {
    if (own !== undefined) await rm(own, { recursive: true, force: true });
  }
}

async function provide(path: string, input: ShellInput): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  if ('path' in input) await copyFile(input.path, path);
  else await writeFile(path, input.content);
}

async function collect(call: ShellCall, directory: string, name: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(join(directory, name)));
  } catch (cause) {
    throw new ProgramFailed(
      `${call.command} has left no file ${name} in ${directory}: let it write one, or take it out of the outputs`,
      { cause },
    );
  }
}

async function run(
  { command, args, env, stdin }: ShellCall,
  directory: string,
): Promise<{ stdout: string; stderr: string }> {
  const child = spawn(command, args.map(String), {
    cwd: directory,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that what it has started ends with it.
    detached: process.platform !== 'win32',
  });
  const texts = [new StreamText(child, 'stdout'), new StreamText(child, 'stderr')] as const;
  // A program need not read what it is given.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin ?? '');
  const { signal: wish } = context();
  const end = (): void => {
    endGroup(child, 'SIGTERM');
    setTimeout(() => {
      endGroup(child, 'SIGKILL');
    }, graceMs).unref();
  };
  wish.addEventListener('abort', end, { once: true });
  try {
    const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
    const [stdout, stderr] = texts.map((each) => each.text);
    const full = texts.find((each) => each.isFull);
    if (full !== undefined) {
      throw new ProgramFailed(
        `${command} printed more than ${streamBytesMax.toString()} bytes on ${full.name}: let it write a file, and name that among the outputs`,
      );
    }
    if (status === 0) return { stdout: stdout ?? '', stderr: stderr ?? '' };
    const how =
      status === null
        ? `was ended by ${String(signal)}`
        : `ended with exit status ${status.toString()}`;
    throw new ProgramFailed(`${command} ${how}${texts.map(tailOf).join('')}`);
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? notFound(command, directory) : error;
  } finally {
    wish.removeEventListener('abort', end);
  }
}

function notFound(command: string, directory: string): ProgramFailed {
  return new ProgramFailed(
    `there is no program ${command} on this worker, or no directory ${directory}: install it, or give the task a queue whose workers have it`,
  );
}

/** One of a program's streams, as text. */
class StreamText {
  readonly name: 'stdout' | 'stderr';
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(child: ChildProcess, name: 'stdout' | 'stderr') {
    this.name = name;
    child[name]?.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
      if (this.isFull) endGroup(child, 'SIGKILL');
      else this.#chunks.push(chunk);
    });
  }

  get isFull(): boolean {
    return this.#bytes > streamBytesMax;
  }

  get text(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}

function tailOf({ name, text }: StreamText): string {
  const tail = text.trimEnd();
  if (tail === '') return '';
  const cut = tail.length > tailLength ? `…${tail.slice(-tailLength)}` : tail;
  return `\n${name}: ${cut}`;
}

function endGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It has ended in this very moment.
  }
}
