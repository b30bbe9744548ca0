/** A status as text: the table, or one line. */
import colors from 'picocolors';
import { countedStates } from '../core/records.ts';
import { formatMs } from './amounts.ts';
import type { FunctionTimes, Status } from './library-types.ts';
import { countOf } from './report.ts';
import { formatTable } from './table.ts';

/** The whole status, for people. */
export function formatStatus(status: Status): string {
  const columns = status.totals.stale === undefined ? countedStates : [...countedStates, 'stale'];
  const cellsOf = (counts: Readonly<Partial<Record<string, number>>>): number[] =>
    columns.map((column) => counts[column] ?? 0);
  const rows = Object.entries(status.functions).map(([name, counts]) => [name, ...cellsOf(counts)]);
  if (rows.length > 1) rows.push(['total', ...cellsOf(status.totals)]);
  const parts = rows.length > 0 ? [formatTable(['function', ...columns], rows)] : [];
  if (status.times !== undefined && rows.length > 0) parts.push(formatTimes(status.times));
  for (const run of status.runs)
    parts.push(`run ${run.id}  ${run.state}  ${run.jugfile}  planned ${run.plannedAt}`);
  if (status.runs.length === 0)
    parts.push(
      `project ${status.project} has no runs yet: plan a jugfile with jugq plan, or jugq run it`,
    );
  for (const worker of status.workers) {
    const doing = worker.silent ? 'silent: killed, asleep or cut off' : formatBusy(worker);
    parts.push(`worker ${worker.id}  ${doing}  queues ${worker.queues.join(', ')}`);
    for (const { task, fraction, note = '' } of worker.progress ?? [])
      parts.push(`  ${task}  ${Math.round(fraction * 100).toString()} %  ${note}`.trimEnd());
  }
  for (const note of status.notes) parts.push(colors.yellow(`! ${note}`));
  return parts.join('\n');
}

/** How many of a worker's threads are busy. What a thread has been handed runs one after the other. */
export function formatBusy({
  running,
  threads,
}: Pick<Status['workers'][number], 'running' | 'threads'>): string {
  const tasks = Object.values(running).reduce((sum, each) => sum + each, 0);
  return `${Math.min(tasks, threads).toString()} of ${threads.toString()} threads busy`;
}

function formatTimes(times: Readonly<Record<string, FunctionTimes>>): string {
  const rows = Object.entries(times).map(([name, { results, meanMs, p95Ms, totalMs }]) => [
    name,
    results,
    ...[meanMs, p95Ms, totalMs].map((ms) => (results === 0 ? '' : formatMs(ms))),
  ]);
  return `\n${formatTable(['function', 'results', 'mean', 'p95', 'total time'], rows)}\n`;
}

/** `14 of 20 tasks finished, 3 failed, 3 blocked`. */
export function formatShort({ totals }: Pick<Status, 'totals'>): string {
  const all = countedStates.reduce((sum, state) => sum + totals[state], 0);
  const others = countedStates
    .filter((state) => state !== 'finished' && totals[state] > 0)
    .map((state) => `${totals[state].toString()} ${state}`);
  const finished =
    all === totals.finished
      ? `${countOf(all, 'task')} finished`
      : `${totals.finished.toString()} of ${countOf(all, 'task')} finished`;
  const stale = totals.stale === undefined ? [] : [`${totals.stale.toString()} stale`];
  return [finished, ...others, ...stale].join(', ');
}
