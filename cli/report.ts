/** How a run ended, for people and for programs. */
import colors from 'picocolors';
import { addCounts, type FailureRecord, type RunRecord } from '../core/records.ts';

/** The last line of `run --json` and `plan --json`. */
export interface Summary {
  readonly kind: 'summary';
  readonly run: string;
  readonly state: string;
  readonly tasks: number;
  readonly executed: number;
  readonly cached: number;
  readonly failed: number;
  readonly blocked: number;
  /** Tasks that somebody has cancelled and that have no result; they count in `tasks`. Absent: none. */
  readonly cancelled?: number;
  /** Intermediate results of functions with `keep: false` that are gone; they count in `tasks`. Absent: none. */
  readonly dropped?: number;
  /** Results that other code made than is planned now, by function. Absent: none. */
  readonly stale?: Readonly<Record<string, number>>;
  readonly published: number;
  readonly seconds: number;
}

/** What a run came to. */
export function summaryOf(record: RunRecord, seconds: number): Summary {
  const totals = addCounts(Object.values(record.functions));
  const { failed, blocked } = totals;
  const cancelled = sumOf(record.cancelled);
  const dropped = sumOf(record.dropped);
  const counted = totals.finished + totals.waiting + totals.ready + totals.running;
  const tasks = counted + failed + blocked + cancelled + dropped;
  return {
    kind: 'summary',
    run: record.id,
    state: record.state,
    tasks,
    executed: record.executed,
    cached: record.cached,
    failed,
    blocked,
    ...(cancelled > 0 ? { cancelled } : {}),
    ...(dropped > 0 ? { dropped } : {}),
    ...(record.stale === undefined ? {} : { stale: record.stale }),
    published: record.published,
    seconds: Math.round(seconds * 1000) / 1000,
  };
}

function sumOf(counts: Readonly<Record<string, number>> = {}): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0);
}

/** `1 task`, `2 tasks`, `2 boxes`. */
export function countOf(count: number, noun: string, plural = `${noun}s`): string {
  return `${count.toString()} ${count === 1 ? noun : plural}`;
}

/** A summary as a sentence. */
export function formatSummary(summary: Summary): string {
  const { tasks, executed, cached, failed, blocked, cancelled = 0, dropped = 0 } = summary;
  const left = tasks - executed - cached - failed - blocked - cancelled;
  const parts = [
    `${countOf(tasks, 'task')}: ${executed.toString()} executed`,
    `${cached.toString()} were there`,
    ...(failed > 0 ? [colors.red(`${failed.toString()} failed`)] : []),
    ...(blocked > 0 ? [colors.red(`${blocked.toString()} blocked behind them`)] : []),
    ...(cancelled > 0 ? [`${cancelled.toString()} cancelled`] : []),
    ...(dropped > 0 ? [`${countOf(dropped, 'intermediate result')} dropped`] : []),
    ...(left > 0 ? [`${left.toString()} not run`] : []),
  ];
  return `${parts.join(', ')} (${summary.seconds.toFixed(1)} s)`;
}

/** Why a run that was only just planned is over. */
export function nothingToRun(record: RunRecord): string {
  if (Object.keys(record.functions).length === 0) return 'nothing to run: no tasks are declared';
  const { failed, blocked } = addCounts(Object.values(record.functions));
  if (failed + blocked === 0) {
    if (record.state === 'failed') return 'nothing can run';
    return `nothing to run: ${allThere(sumOf(record.dropped) > 0)}`;
  }
  return 'nothing to run: what has no result failed before, or waits for what did, and --keep-failed keeps it so';
}

/** That all tasks are done, whether or not their results stay. */
export function allThere(someDropped: boolean): string {
  return someDropped ? 'every result that is to stay is there' : 'every result is there';
}

const shownMax = 10;

/** Each failed task with its error; past ten only how many more. */
export function formatFailures(failures: readonly FailureRecord[], retryWith: string): string {
  const shown = failures.slice(0, shownMax).map(formatFailure);
  const more = failures.length - shown.length;
  if (more > 0) shown.push(`… and ${more.toString()} more`);
  shown.push(`Mend what failed and run it again: ${retryWith}`);
  return shown.join('\n');
}

/** A failed task with its error and the last that it printed. */
export function formatFailure(record: FailureRecord): string {
  const { error, attempt, output } = record;
  const text = error.stack === '' ? `${error.name}: ${error.message}` : error.stack;
  const lines = [
    colors.red(`✗ ${record.task}`) + (attempt > 1 ? ` (${attempt.toString()} attempts)` : ''),
    ...text.split('\n').map((line) => `  ${line}`),
  ];
  if (output !== undefined && output.trim() !== '') {
    lines.push(
      '  it printed:',
      ...output
        .trimEnd()
        .split('\n')
        .slice(-outputLinesMax)
        .map((line) => `    ${line}`),
    );
  }
  return lines.join('\n');
}

const outputLinesMax = 5;

/** How far a run is, for programs: a line of JSON. A field for the functions, which may be called anything. */
export function progressLine({ functions }: Pick<RunRecord, 'functions'>): string {
  return `${JSON.stringify({ kind: 'progress', functions })}\n`;
}
