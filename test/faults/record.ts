/** What happened to the results of a storm, as it happened: the judge's own view, that no proxy stands in. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Knot } from '../jugfiles/storm/shapes.ts';
import type { OpenProject } from '../../broker/project.ts';
import type { ResultEntry } from '../../broker/results.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { decodeRecord, type LeaseRecord } from '../../core/records.ts';

/** Somebody was killed: from then on the time until others go on is measured. */
interface Loss {
  readonly at: number;
  readonly pid: number;
  readonly held: 'work' | 'lease';
}

export class StormRecord {
  readonly last = new Map<TaskId, ResultEntry>();
  /** When each task first had a result, epoch ms. */
  readonly storedAt = new Map<TaskId, number>();
  /** Results that were accepted although there was one. */
  readonly wrongs: string[] = [];
  readonly losses: Loss[] = [];
  readonly holders: { readonly at: number; readonly pid: number }[] = [];
  readonly #followings: { stop(): void }[];
  #changes = 0;

  constructor(project: OpenProject) {
    this.#followings = [
      project.results.follow(
        1,
        (entry) => this.#see(entry),
        () => this.forget(),
      ),
      project.leases.follow(1, ({ value }) => {
        if (value === undefined) return;
        const { pid } = decodeRecord<LeaseRecord>(value, 'the lease');
        if (this.holders.at(-1)?.pid !== pid) this.holders.push({ at: Date.now(), pid });
      }),
    ];
  }

  /** Grows whenever a result comes: nothing else is progress. */
  get changes(): number {
    return this.#changes;
  }

  /** Everything that was stored is gone. */
  forget(): void {
    this.last.clear();
    // What was begun before is now as good as any other task.
    this.losses.splice(0);
  }

  stop(): void {
    for (const each of this.#followings) each.stop();
  }

  #see(entry: ResultEntry): void {
    const before = this.last.get(entry.id);
    if (before !== undefined && before.revision >= entry.revision) return;
    if (before?.present === true && entry.present) {
      this.wrongs.push(
        `${entry.id} was accepted twice: as ${before.revision} and as ${entry.revision}`,
      );
    }
    this.last.set(entry.id, entry);
    this.#changes++;
    if (entry.present && !this.storedAt.has(entry.id)) this.storedAt.set(entry.id, Date.now());
  }
}

/** One execution, as its task wrote it down. */
export interface Execution {
  readonly task: number;
  readonly pid: number;
  readonly at: number;
}

/** What the tasks wrote into their log, in the order in which they began. */
export async function readExecutions(directory: string): Promise<Execution[]> {
  const text = await readFile(join(directory, 'ran.log'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const [task, pid, at] = line.split(' ').map(Number);
      return { task: task ?? -1, pid: pid ?? -1, at: at ?? 0 };
    });
}

/**
 * How long it took, after a process was killed, until somebody went on: with each task that it had begun, or with the
 * lease. Milliseconds; for tasks the longest of them. Where somebody else was killed meanwhile, who may have been the one
 * to go on, the time would say nothing.
 */
export function recoveries(
  record: StormRecord,
  ran: readonly Execution[],
  ids: readonly TaskId[],
  knots: readonly Knot[],
): { work: number[]; lease: number[] } {
  const found: { work: number[]; lease: number[] } = { work: [], lease: [] };
  for (const { at, pid, held } of record.losses) {
    const lost = new Set(
      ran.filter((each) => each.pid === pid && each.at <= at).map((e) => e.task),
    );
    let longest = 0;
    for (const task of lost) {
      // It may wait for its next attempt.
      if (knots[task]?.kind === 'flaky') continue;
      const stored = record.storedAt.get(ids[task] ?? ('' as TaskId)) ?? Infinity;
      const again = ran.find((each) => each.task === task && each.at > at)?.at ?? Infinity;
      if (stored > at && again < Infinity)
        longest = Math.max(longest, Math.min(stored, again) - at);
    }
    if (longest > 0 && isAlone(record, at, longest)) found.work.push(longest);
    const next = record.holders.find((each) => each.at > at && each.pid !== pid);
    // Its entry may have been that of one who was killed just before.
    const isHolder = record.holders.findLast((each) => each.at <= at)?.pid === pid;
    if (held !== 'lease' || !isHolder || next === undefined) continue;
    if (isAlone(record, at, next.at - at)) found.lease.push(next.at - at);
  }
  return found;
}

function isAlone({ losses }: StormRecord, at: number, ms: number): boolean {
  return !losses.some((each) => each.at > at && each.at <= at + ms);
}
