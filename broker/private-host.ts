/**
 * Tells whether what a file says about a process can be looked up here: same machine, same boot, same process numbers.
 *
 * `.jugq/` may lie on a disk that hosts share or that containers mount, and a process number means something only within
 * one boot and one process space.
 */
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { runCommand } from './server-command.ts';

/** Where a process runs. */
export interface HostMark {
  /** Its name, for people. */
  readonly name: string;
  /** The installation's own id; empty where there is none. */
  readonly machine: string;
  /** Differs for each start of each kernel. */
  readonly boot: string;
  /** The space of process numbers: containers on one kernel have one each. */
  readonly space: string;
}

/**
 * `here`: a process number means the same there. `neighbour`: another container on the same kernel. `past`: this machine
 * before it was started anew, so that nothing of it runs. `elsewhere`: another host, of which nothing can be known.
 */
export type Nearness = 'here' | 'neighbour' | 'past' | 'elsewhere';

const sysctlTimeoutMs = 5000;

let own: Promise<HostMark> | undefined;

/** Where this process runs; looked up once. */
export async function ownHost(): Promise<HostMark> {
  return (own ??= lookUp());
}

/** How near another mark is to one's own. */
export function nearness(own: HostMark, other: HostMark): Nearness {
  if (own.boot === other.boot) return own.space === other.space ? 'here' : 'neighbour';
  // Names alone may be equal by chance, as in a cluster of clones: take it for the same machine only if both agree.
  return own.name === other.name && own.machine === other.machine ? 'past' : 'elsewhere';
}

/** Reads a mark out of a parsed file; undefined if it is none. */
export function parseHost(value: unknown): HostMark | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { name, machine, boot, space } = value as Record<string, unknown>;
  const isMark =
    typeof name === 'string' &&
    typeof machine === 'string' &&
    typeof boot === 'string' &&
    typeof space === 'string';
  return isMark ? { name, machine, boot, space } : undefined;
}

async function lookUp(): Promise<HostMark> {
  const [machine, boot, space] = await Promise.all([
    readIfThere('/etc/machine-id'),
    bootId(),
    // Systems without /proc have one space of process numbers.
    readlink('/proc/self/ns/pid').catch(() => ''),
  ]);
  return { name: hostname(), machine: machine.trim(), boot, space };
}

async function bootId(): Promise<string> {
  const linux = await readIfThere('/proc/sys/kernel/random/boot_id');
  if (linux !== '') return linux.trim();
  // macOS has the first, all BSDs the second.
  for (const key of ['kern.bootsessionuuid', 'kern.boottime']) {
    const output = await runCommand('sysctl', ['-n', key], { timeoutMs: sysctlTimeoutMs }).catch(
      () => undefined,
    );
    if (output !== undefined && output.stdout.trim() !== '') return output.stdout.trim();
  }
  return 'unknown';
}

async function readIfThere(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
