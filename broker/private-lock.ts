/**
 * The lock on a private server's directory: at most one keeper holds it, and through it at most one server its store.
 *
 * It is a file that is created exclusively and says who made it. One whose maker is dead is broken under a lock of its
 * own, named after the dead one's mark: without that, two who found it dead could remove each other's new lock.
 */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { nearness, ownHost, parseHost, type HostMark } from './private-host.ts';
import { isHeldOpen, isRunning } from './private-process.ts';
import { privateFiles } from './private-record.ts';

/** Who made a lock. */
export interface LockHolder {
  /** Random, and on the command line of the process. */
  readonly mark: string;
  readonly pid: number;
  readonly host: HostMark;
}

/** `dead`: its holder is known to be gone. `elsewhere`: that cannot be known from here. */
export type LockState =
  | { readonly kind: 'free' }
  | { readonly kind: 'held' | 'dead' | 'elsewhere'; readonly holder: LockHolder };

/** How old a file without sense must be to count as left behind in the middle of its making. */
const unfinishedMs = 10_000;

/** Who holds the lock of a private directory. */
export async function lockState(directory: string): Promise<LockState> {
  return stateOf(privateFiles(directory).lock, directory);
}

/** Takes the lock for `holder` unless somebody alive has it; returns who has it then, or undefined for `holder`. */
export async function takeLock(
  directory: string,
  holder: LockHolder,
): Promise<LockHolder | undefined> {
  return take(privateFiles(directory).lock, directory, holder);
}

/** Whether the lock is still that of `holder`: somebody may have removed it, or the whole directory. */
export async function hasLock(directory: string, holder: LockHolder): Promise<boolean> {
  return (await readHolder(privateFiles(directory).lock))?.mark === holder.mark;
}

/** Gives the lock back; one that is somebody else's by now stays. */
export async function releaseLock(directory: string, holder: LockHolder): Promise<void> {
  await release(privateFiles(directory).lock, holder);
}

async function take(
  file: string,
  directory: string,
  holder: LockHolder,
): Promise<LockHolder | undefined> {
  for (;;) {
    if (await create(file, holder)) return undefined;
    const state = await stateOf(file, directory);
    if (state.kind === 'held' || state.kind === 'elsewhere') return state.holder;
    if (state.kind === 'dead') await breakLock(file, directory, state.holder, holder);
  }
}

/**
 * Removes a dead holder's lock.
 *
 * Safe because only who holds the breaker named after the dead one's mark removes a lock of that mark, and looks again
 * after getting it: a lock that was made meanwhile has another mark.
 */
async function breakLock(
  file: string,
  directory: string,
  dead: LockHolder,
  holder: LockHolder,
): Promise<void> {
  const breaker = `${file}.${dead.mark}`;
  if ((await take(breaker, directory, holder)) !== undefined) {
    await delay(20);
    return;
  }
  const state = await stateOf(file, directory);
  if (state.kind === 'dead' && state.holder.mark === dead.mark) await rm(file, { force: true });
  await release(breaker, holder);
}

async function create(file: string, holder: LockHolder): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify(holder), { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    // On a full disk the file is there, but empty.
    await release(file, unfinished);
    throw error;
  }
}

async function release(file: string, holder: LockHolder): Promise<void> {
  if ((await readHolder(file))?.mark === holder.mark) await rm(file, { force: true });
}

async function stateOf(file: string, directory: string): Promise<LockState> {
  const holder = await readHolder(file);
  if (holder === undefined) return { kind: 'free' };
  const isUnfinished = holder.mark === unfinished.mark;
  if (isUnfinished) return { kind: (await isFresh(file)) ? 'held' : 'dead', holder };
  switch (nearness(await ownHost(), holder.host)) {
    case 'here':
      return { kind: (await isRunning(holder.pid, holder.mark)) ? 'held' : 'dead', holder };
    case 'past':
      return { kind: 'dead', holder };
    case 'neighbour': {
      // Its process numbers say nothing here, but the kernel knows whether anybody of its kind is left.
      const isLeft = isHeldOpen(privateFiles(directory).presence) ?? true;
      return { kind: isLeft ? 'elsewhere' : 'dead', holder };
    }
    case 'elsewhere':
      return { kind: 'elsewhere', holder };
  }
}

/** Stands for the maker of a file that is not written yet, or was never written to its end. */
const unfinished: LockHolder = {
  mark: 'unfinished',
  pid: 0,
  host: { name: 'unknown', machine: '', boot: '', space: '' },
};

async function readHolder(file: string): Promise<LockHolder | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  return parseHolder(text) ?? unfinished;
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    const { mark, pid, host } = JSON.parse(text) as Record<string, unknown>;
    const parsed = parseHost(host);
    if (typeof mark !== 'string' || typeof pid !== 'number' || parsed === undefined)
      return undefined;
    return { mark, pid, host: parsed };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}

async function isFresh(file: string): Promise<boolean> {
  const made = await stat(file).catch(() => undefined);
  return made !== undefined && Math.abs(Date.now() - made.mtimeMs) < unfinishedMs;
}
