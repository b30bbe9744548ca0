/**
 * Where a nats-server lies that is new enough to be trusted with results.
 *
 * Looks, in this order, at `JUGQ_NATS_SERVER`, at the PATH and at what `installServer` has put into the user's cache.
 * Asks each binary itself for its version, so that one for another machine counts as none.
 */
import { access, constants, readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { JugqError } from '../core/errors.ts';
import { runCommand } from './server-command.ts';

/** A nats-server that can be run. */
export interface ServerBinary {
  readonly path: string;
  /** As it says itself: `2.10.27`. */
  readonly version: string;
}

/** The oldest version that loses nothing: older ones lose queued tasks or whole streams in plain crashes. */
export const serverFloor = '2.10.23';

const versionTimeoutMs = 20_000;

/**
 * The nats-server to use on this machine; undefined if there is none.
 *
 * @throws JugqError `SETTINGS_INVALID` or `SERVER_TOO_OLD` if `JUGQ_NATS_SERVER` names one that cannot be used
 */
export async function findServerBinary(): Promise<ServerBinary | undefined> {
  const named = process.env['JUGQ_NATS_SERVER'] ?? '';
  if (named !== '') return namedBinary(named);
  return (await usable(pathCandidates())) ?? (await usable(await cachedCandidates()));
}

/**
 * Asks a nats-server for its version.
 *
 * @throws JugqError `SERVER_FAILED` if it cannot be run or answers something else
 */
export async function readServerVersion(path: string): Promise<string> {
  const { stdout } = await runCommand(path, ['--version'], { timeoutMs: versionTimeoutMs });
  const version = /v?(\d+\.\d+\.\d+\S*)/.exec(stdout)?.[1];
  if (version === undefined) {
    throw new JugqError(
      'SERVER_FAILED',
      `expected "${path} --version" to print a version, got ${JSON.stringify(stdout.slice(0, 200))}: check that it is a nats-server`,
      { fields: { path } },
    );
  }
  return version;
}

/** Negative if `a` is the older version, positive if it is the newer; a pre-release comes before its release. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  const at = left.numbers.findIndex((each, index) => each !== right.numbers[index]);
  if (at !== -1) return (left.numbers[at] ?? 0) - (right.numbers[at] ?? 0);
  return Number(right.isPreRelease) - Number(left.isPreRelease);
}

/** Whether a server of this version may be used. */
export function isNewEnough(version: string): boolean {
  return compareVersions(version, serverFloor) >= 0;
}

/** Where servers are put by `installServer`: `$XDG_CACHE_HOME/jugq`, as a rule `~/.cache/jugq`. */
export function serverCacheDirectory(): string {
  const named = process.env['XDG_CACHE_HOME'] ?? '';
  // The specification says that relative paths are to be ignored.
  return join(isAbsolute(named) ? named : join(homedir(), '.cache'), 'jugq');
}

/** Numbers that are missing count as 0, so that a text without any is older than everything. */
function parseVersion(text: string): { numbers: readonly number[]; isPreRelease: boolean } {
  const match = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(-)?/.exec(text);
  const numbers = [1, 2, 3].map((group) => Number(match?.[group] ?? 0));
  return { numbers, isPreRelease: match?.[4] !== undefined };
}

async function namedBinary(named: string): Promise<ServerBinary> {
  const path = resolve(named);
  if (!(await isExecutable(path))) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected JUGQ_NATS_SERVER to name a nats-server that can be run, got ${JSON.stringify(named)}: correct it or unset it`,
      { fields: { path } },
    );
  }
  const version = await readServerVersion(path);
  if (!isNewEnough(version)) {
    throw new JugqError(
      'SERVER_TOO_OLD',
      `expected JUGQ_NATS_SERVER to name a nats-server ${serverFloor} or later, got ${version} in ${path}: name a newer one or unset it`,
      { fields: { path, found: version, expected: serverFloor } },
    );
  }
  return { path, version };
}

function pathCandidates(): string[] {
  const directories = (process.env['PATH'] ?? '').split(delimiter);
  return directories.filter((each) => each !== '').map((each) => join(each, 'nats-server'));
}

/** The newest first. */
async function cachedCandidates(): Promise<string[]> {
  const directory = serverCacheDirectory();
  // A cache that is missing or closed to us holds nothing for us.
  const names = await readdir(directory).catch(() => []);
  return names
    .flatMap((name) => /^nats-server-(\d+\.\d+\.\d+.*)$/.exec(name)?.[1] ?? [])
    .toSorted((a, b) => compareVersions(b, a))
    .map((version) => join(directory, `nats-server-${version}`));
}

async function usable(paths: readonly string[]): Promise<ServerBinary | undefined> {
  for (const path of paths) {
    if (!(await isExecutable(path))) continue;
    // One that does not run here, say of another architecture in a home that machines share, is passed over.
    const version = await readServerVersion(path).catch(() => undefined);
    if (version !== undefined && isNewEnough(version)) return { path, version };
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
