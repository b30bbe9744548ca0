/**
 * What waits in a worker for a thread, and what runs: tasks of one function go to a thread in batches sized by how long
 * that function takes, so that a tiny task costs about a microsecond of hand-over and a long one keeps nobody waiting.
 */
import type { ParcelTask } from '../core/parcel.ts';
import type { HeldParcel } from './held-parcels.ts';
import type { RunnableTask } from './task-protocol.ts';

/** A task that is ready for a thread. */
export interface Work {
  readonly held: HeldParcel;
  readonly task: ParcelTask;
  readonly runnable: RunnableTask;
  readonly file: string;
  /** To be run alone in a process of its own; failure revision and strikes as last written. */
  readonly suspect: { readonly failureRevision: number; readonly strikes: number } | undefined;
  /** To be run in a batch of its own: one of its last batch ended the thread. */
  readonly alone: boolean;
}

/** A batch that goes to a thread now. */
export interface NextBatch {
  readonly works: readonly Work[];
  readonly suspect: boolean;
}

/** A batch takes about this long, so that others get a turn and results flow. */
const batchMs = 8;
const batchMax = 64;
/** A function with less behind it is not yet known. */
const knownAfter = 4;

export class Schedule {
  readonly #lanes = new Map<string, Work[]>();
  readonly #durations = new Map<string, { seen: number; meanMs: number }>();
  readonly #threads: number;
  #running = 0;
  #waiting = 0;

  constructor(threads: number) {
    this.#threads = threads;
  }

  get running(): number {
    return this.#running;
  }

  add(work: Work): void {
    const manner = work.suspect !== undefined ? 'suspect' : work.alone ? 'alone' : '';
    const key = `${work.file} ${work.held.parcel.functionName} ${manner}`;
    const lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, [work]);
    else lane.push(work);
    this.#waiting++;
  }

  /** The next batch, if a thread is free and something waits; it counts as running until `done`. */
  next(): NextBatch | undefined {
    if (this.#running >= this.#threads) return undefined;
    for (const [key, lane] of this.#lanes) {
      const works = this.#takeFrom(lane);
      // A lane that had its turn goes behind the others.
      this.#lanes.delete(key);
      if (lane.length > 0) this.#lanes.set(key, lane);
      const first = works[0];
      if (first === undefined) continue;
      this.#running++;
      return { works, suspect: first.suspect !== undefined };
    }
    return undefined;
  }

  /** A batch has ended. */
  done(): void {
    this.#running--;
  }

  /** Learns how long a task of a function took. */
  note(functionName: string, ms: number): void {
    const known = this.#durations.get(functionName) ?? { seen: 0, meanMs: ms };
    const weight = Math.max(1 / (known.seen + 1), 0.1);
    this.#durations.set(functionName, {
      seen: known.seen + 1,
      meanMs: known.meanMs + weight * (ms - known.meanMs),
    });
  }

  #takeFrom(lane: Work[]): Work[] {
    const works: Work[] = [];
    let size = 1;
    while (works.length < size) {
      const work = lane.shift();
      if (work === undefined) break;
      this.#waiting--;
      if (work.held.gone) continue;
      if (works.length === 0) size = this.#batchSize(work);
      works.push(work);
    }
    return works;
  }

  #batchSize(work: Work): number {
    const { functionName, timeoutMs, failFast } = work.held.parcel;
    const known = this.#durations.get(functionName);
    const isSingle = timeoutMs !== undefined || failFast;
    if (work.suspect !== undefined || work.alone || isSingle) return 1;
    if (known === undefined || known.seen < knownAfter) return 1;
    const byTime = Math.floor(batchMs / Math.max(known.meanMs, batchMs / batchMax));
    const fair = Math.ceil((this.#waiting + 1) / this.#threads);
    return Math.max(1, Math.min(byTime, fair));
  }
}
