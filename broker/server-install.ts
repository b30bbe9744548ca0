/**
 * Makes sure that there is a nats-server on this machine: finds one, or puts one into the user's cache.
 *
 * Needs no root and asks no question. Installations that run at once do not disturb each other: each works in a
 * directory of its own, and the binary appears under its name whole or not at all.
 */
import { chmod, copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isJugqError, JugqError } from '../core/errors.ts';
import {
  findServerBinary,
  isNewEnough,
  readServerVersion,
  serverCacheDirectory,
  serverFloor,
  type ServerBinary,
} from './server-binary.ts';
import { isCommand, runCommand } from './server-command.ts';
import { unpackDonorPackage, unpackOwnPackage } from './server-debian.ts';

const brewTimeoutMs = 15 * 60_000;

/** One way to get a server: what it needs on the PATH, and what it does. */
interface Way {
  readonly name: string;
  readonly needs: readonly string[];
  readonly get: () => Promise<ServerBinary>;
}

/**
 * Finds a nats-server that is new enough, or gets one: the distribution's package, the package of Debian 13, or
 * Homebrew's, whichever comes first.
 *
 * @param report - told in a line each what is being tried and what came of it
 * @throws JugqError `SERVER_NOT_INSTALLED` if no way led to one; `SETTINGS_INVALID` or `SERVER_TOO_OLD` if
 *   `JUGQ_NATS_SERVER` names one that cannot be used
 */
export async function installServer(report: (line: string) => void): Promise<ServerBinary> {
  const present = await findServerBinary();
  if (present !== undefined) {
    report(`using nats-server ${present.version} in ${present.path}`);
    return present;
  }
  const failures: string[] = [];
  for (const way of ways) {
    const missing = await missingCommands(way.needs);
    if (missing.length > 0) {
      failures.push(`${way.name}: there is no ${missing.join(' and no ')} here`);
      continue;
    }
    report(`trying ${way.name}`);
    try {
      const binary = await way.get();
      report(`nats-server ${binary.version} is in ${binary.path}`);
      return binary;
    } catch (error) {
      if (!isJugqError(error, 'SERVER_FAILED')) throw error;
      report(`no luck: ${error.message}`);
      failures.push(`${way.name}: ${error.message}`);
    }
  }
  throw notInstalled(failures);
}

const apt = ['apt-get', 'apt-cache', 'dpkg'] as const;
const ways: readonly Way[] = [
  {
    name: "the distribution's package nats-server",
    needs: apt,
    get: () => intoCache(unpackOwnPackage),
  },
  {
    name: "Debian 13's package nats-server, taken apart without installing it",
    needs: apt,
    get: () => intoCache(unpackDonorPackage),
  },
  { name: 'brew install nats-server', needs: ['brew'], get: fromBrew },
];

async function missingCommands(names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map(isCommand));
  return names.filter((_, index) => found[index] !== true);
}

/** Works inside the cache, so that the last step is a rename within one file system. */
async function intoCache(unpack: (scratch: string) => Promise<string>): Promise<ServerBinary> {
  const cache = serverCacheDirectory();
  const scratch = await scratchIn(cache);
  try {
    const work = join(scratch, 'work');
    await mkdir(work);
    const unpacked = await unpack(work);
    const staged = join(scratch, 'nats-server');
    await copyFile(unpacked, staged);
    await chmod(staged, 0o755);
    const version = await usableVersion(staged);
    const path = join(cache, `nats-server-${version}`);
    // Safe because a rename replaces what another installation put there, and a server that runs keeps its own file.
    await rename(staged, path);
    return { path, version };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function scratchIn(cache: string): Promise<string> {
  try {
    await mkdir(cache, { recursive: true });
    return await mkdtemp(join(cache, '.install-'));
  } catch (error) {
    throw new JugqError(
      'SERVER_NOT_INSTALLED',
      `cannot write to ${cache}: ${error instanceof Error ? error.message : String(error)}: set XDG_CACHE_HOME to a directory of yours, or JUGQ_NATS_SERVER to a nats-server ${serverFloor} or later`,
      { cause: error, fields: { directory: cache } },
    );
  }
}

async function fromBrew(): Promise<ServerBinary> {
  await runCommand('brew', ['install', '--quiet', 'nats-server'], { timeoutMs: brewTimeoutMs });
  const { stdout } = await runCommand('brew', ['--prefix'], { timeoutMs: 60_000 });
  const path = join(stdout.trim(), 'bin', 'nats-server');
  return { path, version: await usableVersion(path) };
}

async function usableVersion(path: string): Promise<string> {
  const version = await readServerVersion(path);
  if (!isNewEnough(version)) {
    throw new JugqError(
      'SERVER_FAILED',
      `expected nats-server ${serverFloor} or later, got ${version}`,
      { fields: { found: version, expected: serverFloor } },
    );
  }
  return version;
}

function notInstalled(failures: readonly string[]): JugqError {
  const tried = failures.map((each) => `\n  ${each}`).join('');
  return new JugqError(
    'SERVER_NOT_INSTALLED',
    `no nats-server ${serverFloor} or later on this machine, and none could be put here: download one from https://github.com/nats-io/nats-server/releases and put it on the PATH, or name it in JUGQ_NATS_SERVER. Tried:${tried}`,
    { fields: { tried: failures } },
  );
}
