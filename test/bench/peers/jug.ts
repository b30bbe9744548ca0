/**
 * jug itself, with results in files, by the `jug` that is on the PATH.
 *
 * `jug execute` loads, hashes and runs. What it takes for a jugfile of one task is taken off, as it is of jugq.
 * It wants numpy beside it: without it each hash looks for numpy anew, and takes ten times as long.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isCommand, runCommand } from '../../../broker/server-command.ts';
import { openDirectory } from './peer-processes.ts';
import { checkValues, figureOf, tasksOf, type Peer, type PeerWork } from './peer-work.ts';

const commandMs = 180_000;

/** The peer. */
export const jug: Peer = {
  name: 'jug, files',
  async prepare() {
    if (await isCommand('jug')) return undefined;
    return 'there is no jug here: pip install jug numpy';
  },
  async measure(work) {
    const startUp = await startUpMs();
    await using directory = await openDirectory();
    await writeFile(join(directory.path, 'jugfile.py'), jugfile(work));
    if (work.shape === 'intake') {
      // There is no other intake than this: each process loads and hashes all tasks each time.
      const startedAt = performance.now();
      await askJugfile(directory.path, 'hash');
      return (performance.now() - startedAt - startUp) / 1000;
    }
    const startedAt = Date.now();
    await executeMs(directory.path, work.workers);
    const times = await resultTimes(join(directory.path, 'jugfile.jugdata'));
    checkValues(work, await askJugfile(directory.path, 'value'));
    if (work.shape !== 'again') return figureOf(work, startedAt + startUp, times);
    return ((await executeMs(directory.path, 1)) - startUp) / 1000;
  },
};

async function startUpMs(): Promise<number> {
  await using directory = await openDirectory();
  const one = {
    name: '',
    what: '',
    unit: 's',
    shape: 'flood',
    tasks: 1,
    workers: 1,
    ms: 0,
  } as const;
  await writeFile(join(directory.path, 'jugfile.py'), jugfile(one));
  return await executeMs(directory.path, 1);
}

/** Tasks are made as a user would make them; asked to, the file hashes them or prints their results. */
function jugfile(work: PeerWork): string {
  const tasks = tasksOf(work).map(({ id, parent, own }) => [id, parent, own]);
  return `import os, time
from jug import TaskGenerator, value

@TaskGenerator
def add(id, own, taken):
${work.ms > 0 ? `    time.sleep(${work.ms / 1000})\n` : ''}    return own + sum(taken)

tasks = []
taken = {}
for id, parent, own in ${JSON.stringify(tasks)}:
    task = add(id, own, taken.pop(id, []))
    tasks.append(task)
    if parent: taken.setdefault(parent, []).append(task)
if os.environ.get('BENCH_ASK') == 'hash':
    print('asked', *(len(task.hash()) for task in tasks))
if os.environ.get('BENCH_ASK') == 'value':
    print('asked', *(value(task) for task in tasks))
`;
}

/** Runs so many processes to their end. */
async function executeMs(cwd: string, processes: number): Promise<number> {
  const startedAt = performance.now();
  // One that finds all that is left in the hands of another looks again after a second, not after twelve.
  const args = ['execute', '--wait-cycle-time', '1'];
  await Promise.all(
    Array.from({ length: processes }, async () => {
      const child = spawn('jug', args, { cwd, stdio: 'ignore', timeout: commandMs });
      const [status] = (await once(child, 'exit')) as [number | null];
      if (status !== 0) throw new Error(`jug execute ended with ${String(status)}`);
    }),
  );
  return performance.now() - startedAt;
}

/** Has the jugfile loaded by a command that does nothing else with it, and reads what it prints of each task. */
async function askJugfile(cwd: string, what: 'hash' | 'value'): Promise<number[]> {
  const args = [`BENCH_ASK=${what}`, 'jug', 'count'];
  const { stdout } = await runCommand('env', args, { timeoutMs: commandMs, cwd });
  const line = stdout.split('\n').find((each) => each.startsWith('asked')) ?? '';
  return line.split(' ').slice(1).map(Number);
}

/** When each result was written, epoch ms: files in folders of two digits. */
async function resultTimes(directory: string): Promise<number[]> {
  const folders = (await readdir(directory)).filter((each) => /^[0-9a-f]{2}$/.test(each));
  const files = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(directory, folder));
      return names.map((name) => join(directory, folder, name));
    }),
  );
  return Promise.all(files.flat().map(async (file) => (await stat(file)).mtimeMs));
}
