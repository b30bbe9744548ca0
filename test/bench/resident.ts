/** What processes have in memory, as Linux tells it. */
import { readFile } from 'node:fs/promises';

/**
 * What a process has in memory now, in MiB, with what it shares with others (RSS).
 *
 * The share of each (PSS) would be a third less where several Nodes run, as they do here, and says less about a machine
 * that has one worker.
 */
export async function residentMib(pid: number | undefined): Promise<number> {
  if (pid === undefined) return NaN;
  const status = await readFile(`/proc/${pid.toString()}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN) / 1024;
}
