/** The live display of a run: one line a function on a terminal, a plain line now and then elsewhere. */
import colors from 'picocolors';
import { formatDuration } from '../core/duration.ts';
import { addCounts, isOver, valueFor, type Counts } from '../core/records.ts';
import type { CommandContext, OutputStream } from './commands/base.ts';
import type { LiveDisplay } from './live-display.ts';
import { loneliness, lonelyQueues } from './lonely-queues.ts';
import { pausedNote } from './runs.ts';
import { canRepaint } from './terminal.ts';
import type { RunView } from './watch-run.ts';

export interface Progress {
  update(view: RunView): void;
  /** Prints lines above the display. */
  print(text: string): void;
  /** Leaves the last state standing. */
  end(): void;
}

const barWidth = 24;
const plainEveryMs = 5000;
/** Of a run that does not move, a plain line a minute. */
const quietMax = 12;
const redrawEveryMs = 100;
/** Work that nobody takes is told so after this long, and again as often as a plain line. */
const loneAfterMs = 3000;

/** A display on standard error: live if that can be painted again. */
export async function startProgress(context: CommandContext): Promise<Progress> {
  const { stderr: stream, env } = context;
  if (!canRepaint(stream, env)) return plainProgress(stream);
  // What paints takes as long to load as the server's client, and no script has a use for it.
  const { startDisplay } = await import('./live-display.ts');
  return liveProgress(startDisplay(stream), stream);
}

function liveProgress(display: LiveDisplay, stream: OutputStream): Progress {
  const pace = startPace();
  let last: RunView | undefined;
  const draw = (): void => {
    if (last !== undefined) display.paint(formatView(last, pace).join('\n'));
  };
  const timer = setInterval(draw, redrawEveryMs);
  return {
    update(view) {
      last = view;
      pace.note(view);
    },
    print(text) {
      stream.write(text);
    },
    end() {
      clearInterval(timer);
      draw();
      display.end();
    },
  };
}

function plainProgress(stream: OutputStream): Progress {
  const pace = startPace();
  let last: RunView | undefined;
  let told = '';
  let quiet = 0;
  let due = 1;
  const tell = (): void => {
    if (last === undefined) return;
    const text = formatLine(last, pace);
    quiet = text === told ? quiet + 1 : 0;
    if (quiet === 0) due = 1;
    // Even when nothing has changed: whoever waits sees that somebody does, ever less often.
    else if (quiet < due) return;
    else due = Math.min(2 * due, quiet + quietMax);
    stream.write(`${text}${quiet === 0 ? '' : ' (unchanged)'}\n`);
    told = text;
  };
  const timer = setInterval(tell, plainEveryMs);
  return {
    update(view) {
      last = view;
      pace.note(view);
    },
    print(text) {
      stream.write(text);
    },
    end() {
      clearInterval(timer);
    },
  };
}

/** How fast results come, over the last seconds. */
interface Pace {
  note(view: RunView): void;
  /** Queues that nobody has taken for a while, and what to do about them. */
  loneliness(): string[];
  perSecond(): number;
}

const paceWindowMs = 10_000;

function startPace(): Pace {
  const samples: { at: number; executed: number }[] = [];
  // When each queue was first seen to be lonely; the empty text stands for there being no worker at all.
  const lonelySince = new Map<string, number>();
  let workers = 0;
  return {
    note({ record, workers: all }) {
      const at = performance.now();
      samples.push({ at, executed: record.executed });
      while (samples.length > 2 && (samples[0]?.at ?? at) < at - paceWindowMs) samples.shift();
      workers = all.length;
      const lonely = [...lonelyQueues([record], all), ...(workers === 0 ? [''] : [])];
      for (const each of lonelySince.keys()) if (!lonely.includes(each)) lonelySince.delete(each);
      for (const each of lonely) if (!lonelySince.has(each)) lonelySince.set(each, at);
    },
    loneliness() {
      const before = performance.now() - loneAfterMs;
      const lonely = [...lonelySince].flatMap(([each, at]) => (at < before ? [each] : []));
      if (lonely.length === 0) return [];
      return loneliness(
        lonely.filter((each) => each !== ''),
        lonely.includes('') ? 0 : workers,
      );
    },
    perSecond() {
      const first = samples[0];
      const last = samples.at(-1);
      if (first === undefined || last === undefined || last.at - first.at < 200) return 0;
      return ((last.executed - first.executed) * 1000) / (last.at - first.at);
    },
  };
}

function formatView(view: RunView, pace: Pace): string[] {
  const names = Object.keys(view.record.functions);
  const width = names.reduce((most, each) => Math.max(most, each.length), 0);
  const lines = names.map((name) => {
    const counts = valueFor(view.record.functions, name);
    return counts === undefined
      ? ''
      : formatFunction(name.padEnd(width), counts, runningOf(view, name));
  });
  return [...lines, formatTotals(view, pace)];
}

function formatFunction(name: string, counts: Counts, running: number): string {
  const total = addCounts([counts]);
  const all = total.failed + total.blocked + total.waiting + total.ready + total.finished;
  const filled = all === 0 ? barWidth : Math.floor((counts.finished / all) * barWidth);
  const bar = colors.green('█'.repeat(filled)) + colors.dim('░'.repeat(barWidth - filled));
  const notes = [
    running > 0 ? `${running.toString()} running` : '',
    counts.failed > 0 ? colors.red(`${counts.failed.toString()} failed`) : '',
    counts.blocked > 0 ? colors.red(`${counts.blocked.toString()} blocked`) : '',
  ].filter((each) => each !== '');
  return `${name} ${bar} ${counts.finished.toString()}/${all.toString()}${notes.map((each) => `  ${each}`).join('')}`;
}

function formatTotals(view: RunView, pace: Pace): string {
  const totals = addCounts(Object.values(view.record.functions));
  const left = totals.waiting + totals.ready;
  const rate = pace.perSecond();
  const parts = [
    `${totals.finished.toString()} done (${view.record.cached.toString()} were there)`,
    rate > 0 ? `${rate < 10 ? rate.toFixed(1) : Math.round(rate).toString()}/s` : '',
    rate > 0 && left > 0 ? `about ${formatDuration(Math.ceil(left / rate) * 1000)} left` : '',
    ...notesOn(view, pace),
  ];
  return parts.filter((each) => each !== '').join('  ');
}

function formatLine(view: RunView, pace: Pace): string {
  const totals = addCounts(Object.values(view.record.functions));
  const all = totals.finished + totals.waiting + totals.ready + totals.failed + totals.blocked;
  const names = Object.keys(view.record.functions);
  const running = names.reduce((sum, name) => sum + runningOf(view, name), 0);
  const failed = totals.failed > 0 ? `, ${totals.failed.toString()} failed` : '';
  const notes = notesOn(view, pace).map((each) => `; ${each}`);
  return `${totals.finished.toString()}/${all.toString()} tasks finished, ${running.toString()} running${failed}${notes.join('')}`;
}

/** What keeps a run from moving. */
function notesOn(view: RunView, pace: Pace): string[] {
  const { record, workers, shortages } = view;
  const notes = [...workers, record].flatMap((each) =>
    each.note === undefined ? [] : [each.note],
  );
  // Nothing else keeps it from moving that matters now.
  if (record.state === 'paused') return [...notes, pausedNote(record.id)];
  return [...new Set([...notes, ...shortages, ...pace.loneliness()])];
}

/** What workers said last of a run that is over is not so any more. */
function runningOf(view: RunView, name: string): number {
  if (isOver(view.record.state)) return 0;
  const { waiting = 0, ready = 0 } = valueFor(view.record.functions, name) ?? {};
  const running = view.workers.reduce((sum, each) => sum + (valueFor(each.running, name) ?? 0), 0);
  // Workers tell of themselves every few seconds, and may run tasks of other runs.
  return Math.min(running, waiting + ready);
}
