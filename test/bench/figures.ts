/** From samples to figures, and from figures to a table. */
import { formatTable } from '../../cli/table.ts';
import type { Goal, Workload } from './workload.ts';

/** What was measured of one workload. */
export interface Measured {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly goal?: Goal;
  readonly samples: readonly number[];
  /** In the order of the samples; empty if there is nothing to compare with. */
  readonly floor: readonly number[];
  /** Of the medians: jugq to the floor. */
  readonly ratio?: number;
  readonly reached?: boolean;
}

/** Figures of a workload from its samples. */
export function summarise(
  { name, what, unit, goal }: Workload,
  samples: readonly number[],
  floor: readonly number[],
): Measured {
  const ratio = floor.length === 0 ? undefined : median(samples) / median(floor);
  const figure = goal?.of === 'ratio' ? ratio : median(samples);
  return {
    name,
    what,
    unit,
    samples,
    floor,
    ...(ratio === undefined ? {} : { ratio }),
    ...(goal === undefined ? {} : { goal }),
    ...(goal === undefined || figure === undefined ? {} : { reached: reaches(figure, goal) }),
  };
}

/** One line a workload: median and spread of jugq and of the floor, their ratio, and the goal. */
export function formatFigures(all: readonly Measured[]): string {
  const head = [
    'workload',
    'what',
    'unit',
    'jugq',
    'spread',
    'floor',
    'spread',
    'ratio',
    'goal',
    '',
  ];
  return formatTable(head, all.map(rowOf));
}

function rowOf(each: Measured): string[] {
  return [
    each.name,
    each.what,
    each.unit,
    ...medianAndSpread(each.samples),
    ...medianAndSpread(each.floor),
    each.ratio === undefined ? '' : each.ratio.toFixed(2),
    each.goal === undefined ? '' : formatGoal(each.goal),
    each.reached === undefined ? '' : each.reached ? 'reached' : 'short',
  ];
}

function reaches(figure: number, goal: Goal): boolean {
  return goal.bound === 'at least' ? figure >= goal.limit : figure <= goal.limit;
}

function formatGoal({ of, bound, limit }: Goal): string {
  return `${bound === 'at least' ? '≥' : '≤'} ${Number(limit.toFixed(2))}${of === 'ratio' ? ' × floor' : ''}`;
}

/** As they are written in a table; without a spread if there is one sample. */
export function medianAndSpread(samples: readonly number[]): [string, string] {
  if (samples.length === 0) return ['', ''];
  const [least, most] = [Math.min(...samples), Math.max(...samples)];
  return [
    formatFigure(median(samples)),
    samples.length === 1 ? '' : `${formatFigure(least)}–${formatFigure(most)}`,
  ];
}

/** Three digits that count, or all before the point. */
function formatFigure(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
}

function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const [below, above] = [sorted[Math.ceil(middle) - 1] ?? NaN, sorted[Math.floor(middle)] ?? NaN];
  return (below + above) / 2;
}
