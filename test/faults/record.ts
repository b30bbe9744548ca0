/** What happened to the results of a storm, as it happened: the judge's own view, that no proxy stands in. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Knot } from '../jugfiles/storm/shapes.ts';
import type { OpenProject } from '../../broker/project.ts';
import type { ResultEntry } from '../../broker/results.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { decodeParcel } from '../../core/parcel.ts';
import { decodeRecord, type LeaseRecord } from '../../core/records.ts';

/** Somebody was killed: from then on the time until others take over is measured. */
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
  /** When each task was published, or put on record as about to be run by itself, epoch ms. */
  readonly #takenUp = new Map<TaskId, number[]>();
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
      project.failures.follow(1, ({ key, value }) => {
        if (value !== undefined) this.#noteTakenUp(key as TaskId);
      }),
    ];
    const published = project.connection.subscribe(`jugq.${project.names.project}.task.>`, {
      callback: (_error, { data }) => {
        for (const { id } of decodeParcel(data).tasks) this.#noteTakenUp(id);
      },
    });
    this.#followings.push({ stop: () => published.unsubscribe() });
  }

  /** When somebody first took a task up after that moment; Infinity: nobody did. */
  takenUpAfter(task: TaskId, at: number): number {
    return this.#takenUp.get(task)?.find((each) => each > at) ?? Infinity;
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

  #noteTakenUp(task: TaskId): void {
    const known = this.#takenUp.get(task);
    if (known === undefined) this.#takenUp.set(task, [Date.now()]);
    else known.push(Date.now());
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
 * How long it took, after a process was killed, until somebody had taken over: each task that it had begun, or the lease.
 * Milliseconds; for tasks the longest of them.
 *
 * A task is taken up when it is on record as about to be run by itself, is published anew or runs: what it then waits
 * for is a thread, a process to start in or its turn, as others do. Where somebody else was killed meanwhile or just
 * before, who may have been the one to take over, the time would say nothing.
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
      const id = ids[task] ?? ('' as TaskId);
      const stored = record.storedAt.get(id) ?? Infinity;
      const again = ran.find((each) => each.task === task && each.at > at)?.at ?? Infinity;
      if (stored <= at || again === Infinity) continue;
      longest = Math.max(longest, Math.min(stored, again, record.takenUpAfter(id, at)) - at);
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

/** Whoever was killed so long before is back, even on a busy machine. */
const backMs = 6000;

function isAlone({ losses }: StormRecord, at: number, ms: number): boolean {
  return !losses.some((each) => each.at !== at && each.at > at - backMs && each.at <= at + ms);
}
