/** The machine and the versions that figures hold for. */
import { execFile } from 'node:child_process';
import { readdir, stat, statfs } from 'node:fs/promises';
import { availableParallelism, cpus, release, tmpdir, type } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ServerBinary } from '../../broker/server-binary.ts';

const lookMs = 2000;
/** More than this, and figures say more about the others than about jugq. */
const busyShareMax = 0.05;

/** What stands above the table. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  readonly natsServer: string;
  /** Of the checkout; with `+` if files differ from it. */
  readonly commit: string;
  /** Where the servers keep their streams. */
  readonly store: string;
  /** Share of all cores that others used just before. */
  readonly busyBefore: number;
  /** What makes the figures worthless or misleading. */
  readonly warnings: readonly string[];
}

/** Describes the machine, and watches for two seconds whether it is idle. */
export async function describeMachine(server: ServerBinary): Promise<Machine> {
  const busyBefore = await busyShare();
  const percent = Math.round(100 * busyBefore);
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    system: `${type()} ${release()}`,
    node: process.version,
    natsServer: server.version,
    commit: await commit(),
    store: `${tmpdir()}, ${await fileSystem(tmpdir())}, file storage with the server's default sync_interval`,
    busyBefore,
    warnings: [
      ...(busyBefore > busyShareMax
        ? [`other programs use ${percent} % of the processors: the figures are of no use`]
        : []),
      ...((await isBuildOld()) ? ['dist/ is older than the code: run "npm run build"'] : []),
    ],
  };
}

async function busyShare(): Promise<number> {
  const before = ticks();
  await delay(lookMs);
  const after = ticks();
  const total = after.total - before.total;
  return total === 0 ? 0 : 1 - (after.idle - before.idle) / total;
}

function ticks(): { idle: number; total: number } {
  const all = cpus().map(({ times }) => times);
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  return {
    idle: sum(all.map((times) => times.idle)),
    total: sum(all.flatMap((times) => Object.values(times))),
  };
}

/** What is measured is what was built, and not what the checkout says. */
async function isBuildOld(): Promise<boolean> {
  const root = join(import.meta.dirname, '..', '..');
  const built = await stat(join(root, 'dist', 'cli', 'main.js'));
  const folders = ['core', 'broker', 'worker', 'cli', 'cli/commands'];
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(root, folder));
      return names.filter((name) => name.endsWith('.ts')).map((name) => join(root, folder, name));
    }),
  );
  const sources = [...files.flat(), join(root, 'build.ts')];
  const changed = await Promise.all(sources.map(async (file) => (await stat(file)).mtimeMs));
  return Math.max(...changed) > built.mtimeMs;
}

async function commit(): Promise<string> {
  const git = promisify(execFile);
  try {
    const { stdout } = await git('git', ['describe', '--always', '--dirty=+'], {
      cwd: import.meta.dirname,
    });
    return stdout.trim();
  } catch {
    return 'unknown';
  }
}

/** From linux/magic.h. */
const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs (memory, not a disk)'],
  [0x794c7630, 'overlayfs'],
]);

async function fileSystem(directory: string): Promise<string> {
  const { type: magic } = await statfs(directory);
  return fileSystems.get(magic) ?? `file system 0x${magic.toString(16)}`;
}
