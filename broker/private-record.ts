/** The files of a private server's directory, and what the keeper tells the commands through them. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { JugqError } from '../core/errors.ts';

/** How often the server writes its store through to the disk: each second, or before it acknowledges anything. */
export type StoreSync = 'second' | 'always';

/** What commands may choose about the server. */
export interface ServerWish {
  /** Address to listen on. */
  readonly listenHost: string;
  readonly storeSync: StoreSync;
}

/** A server that answers, as its keeper writes it down. */
export interface ServerRecord extends ServerWish {
  readonly format: 1;
  /** The address for clients on this host. */
  readonly url: string;
  readonly token: string;
  readonly port: number;
  readonly pid: number;
  readonly version: string;
  /** The mark of the keeper that wrote this; see `LockHolder`. */
  readonly keeper: string;
}

/** The files in a private server's directory. */
export interface PrivateFiles {
  readonly lock: string;
  readonly record: string;
  /** What a command wants changed about the running server. */
  readonly wish: string;
  /** A named pipe that the keeper and the server hold open. */
  readonly presence: string;
  readonly configuration: string;
  readonly pid: string;
  readonly store: string;
  readonly serverLog: string;
  readonly keeperLog: string;
}

/** Where everything lies. */
export function privateFiles(directory: string): PrivateFiles {
  return {
    lock: join(directory, 'keeper.lock'),
    record: join(directory, 'server.json'),
    wish: join(directory, 'wish.json'),
    presence: join(directory, 'presence'),
    configuration: join(directory, 'server.conf'),
    pid: join(directory, 'server.pid'),
    store: join(directory, 'data'),
    serverLog: join(directory, 'server.log'),
    keeperLog: join(directory, 'keeper.log'),
  };
}

/**
 * Makes the directory, closed to others and ignored by git.
 *
 * @returns its one path without links
 * @throws JugqError `SERVER_FAILED` if that cannot be
 */
export async function prepareDirectory(directory: string): Promise<string> {
  return explaining(directory, async () => {
    await mkdir(dirname(directory), { recursive: true });
    // Not both at once: on a disk that may only be read, Node then complains of a missing directory.
    if (!existsSync(directory)) await mkdir(directory, { mode: 0o700 }).catch(unlessThere);
    const ignore = join(directory, '.gitignore');
    if (!existsSync(ignore)) await writePrivately(ignore, '*\n');
    return realpath(directory);
  });
}

/** Another command may have been quicker. */
function unlessThere(error: unknown): void {
  if (!(error instanceof Error) || !('code' in error) || error.code !== 'EEXIST') throw error;
}

/** The record of the server that answers; undefined if there is none. */
export async function readRecord(directory: string): Promise<ServerRecord | undefined> {
  const value = await readJson(privateFiles(directory).record);
  const wish = parseWish(value);
  if (value === undefined || wish === undefined) return undefined;
  const { format, url, token, port, pid, version, keeper } = value;
  const isRecord =
    format === 1 &&
    typeof url === 'string' &&
    typeof token === 'string' &&
    typeof port === 'number' &&
    typeof pid === 'number' &&
    typeof version === 'string' &&
    typeof keeper === 'string';
  return isRecord ? { format, url, token, port, pid, version, keeper, ...wish } : undefined;
}

/** Puts the record there, whole. */
export async function writeRecord(directory: string, record: ServerRecord): Promise<void> {
  await writePrivately(privateFiles(directory).record, JSON.stringify(record));
}

/** Takes the record away. */
export async function removeRecord(directory: string): Promise<void> {
  await rm(privateFiles(directory).record, { force: true });
}

/** What a command has wished for and nobody has seen to yet. */
export async function readWish(directory: string): Promise<ServerWish | undefined> {
  return parseWish(await readJson(privateFiles(directory).wish));
}

/** Asks the keeper for a change of its server. */
export async function writeWish(directory: string, wish: ServerWish): Promise<void> {
  await writePrivately(privateFiles(directory).wish, JSON.stringify(wish));
}

/** To be called before a wish is granted, so that one that comes meanwhile stays. */
export async function removeWish(directory: string): Promise<void> {
  await rm(privateFiles(directory).wish, { force: true });
}

/** Writes a file that only its owner may read, in one step. */
export async function writePrivately(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await explaining(dirname(file), async () => {
      await writeFile(unfinished, text, { mode: 0o600, flag: 'wx' });
      await rename(unfinished, file);
    });
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

/**
 * Does something with files in the private directory.
 *
 * @throws JugqError `SERVER_FAILED` that says what a user can do about a file system's refusal
 */
export async function explaining<T>(directory: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const advice = adviceFor.get(code);
    if (advice === undefined) throw error;
    throw cannotKeep(directory, advice, error);
  }
}

/** The error for a disk on which a server could not even write its own log. */
export function diskFull(directory: string): JugqError {
  return cannotKeep(directory, isFull, undefined);
}

function cannotKeep(directory: string, advice: string, cause: unknown): JugqError {
  return new JugqError(
    'SERVER_FAILED',
    `cannot keep the private server's files: ${directory}: ${advice}`,
    { cause, fields: { directory } },
  );
}

const notOurs =
  'it cannot be written to: make it writable for you, or name a server with --server or NATS_URL';
const isFull = 'its disk is full: make room there, or name a server with --server or NATS_URL';
const isInTheWay =
  'expected a directory, got something else of that name: move it away, or name a server with --server or NATS_URL';
const adviceFor: ReadonlyMap<string, string> = new Map([
  ['EACCES', notOurs],
  ['EPERM', notOurs],
  ['EROFS', notOurs],
  ['ENOSPC', isFull],
  ['EDQUOT', isFull],
  ['ENOTDIR', isInTheWay],
  ['EEXIST', isInTheWay],
  [
    'ENAMETOOLONG',
    'its path is too long: use a shorter one, or name a server with --server or NATS_URL',
  ],
]);

function parseWish(value: Record<string, unknown> | undefined): ServerWish | undefined {
  const { listenHost, storeSync } = value ?? {};
  if (typeof listenHost !== 'string') return undefined;
  if (storeSync !== 'second' && storeSync !== 'always') return undefined;
  return { listenHost, storeSync };
}

/** A file that is missing, or that is none of ours, says nothing. */
async function readJson(file: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
