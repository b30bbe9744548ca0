/**
 * What waits in a worker for a thread, and what runs: tasks of one function go to a thread in batches sized by how long
 * that function takes, so that a tiny task costs about a microsecond of hand-over and a long one keeps nobody waiting.
 *
 * A thread that runs a batch of a quick function gets the next such batch meanwhile, so that it never waits for the
 * worker's own thread. All others have their thread for themselves, as long as they run. Suspects go before what came
 * new: they have waited for an ack wait already, because their worker died.
 */
import type { ParcelFunction, ParcelTask } from '../core/parcel.ts';
import type { HeldParcel } from './held-parcels.ts';
import type { BatchTask } from './task-protocol.ts';

/** What is on record of a suspect; before it starts, what its parcel knows. */
export interface Suspect {
  readonly failureRevision: number;
  readonly strikes: number;
  /** Its process has just died under this worker's eyes. */
  readonly died: boolean;
}

/** A task that is ready for a thread. */
export interface Work {
  readonly held: HeldParcel;
  readonly task: ParcelTask;
  readonly runnable: BatchTask;
  readonly file: string;
  /** They go to its thread with it: tasks of its parcel of which some take what others give, dependencies first. */
  readonly companions: readonly Work[];
  /** To be run alone in a process of its own, and put on record before. */
  readonly suspect: Suspect | undefined;
  /** To be run in a batch of its own: it was in a thread with others when that ended. */
  readonly alone: boolean;
}

/** A batch that goes to a thread now. */
export interface NextBatch {
  /** What had been added to the schedule. */
  readonly leaders: readonly Work[];
  /** The same, and their companions. */
  readonly works: readonly Work[];
  readonly suspect: boolean;
  /** From 0 on. */
  readonly thread: number;
  /** It may share its thread with another batch, which runs before or after it. */
  readonly shares: boolean;
}

/** A batch takes about this long, so that others get a turn and results flow. */
const batchMs = 24;
const batchMax = 128;
/** Of a function that has only failed so far: what does not fail at once may take long. */
const unprovenMax = 16;
/** A function with less behind it is not yet known. */
const knownAfter = 4;
/** Nothing is put behind a task that is expected to take longer. */
const quickMs = 100;

/** How long attempts at tasks of a function took. */
interface Duration {
  readonly seen: number;
  readonly meanMs: number;
}

/** What one thread has to do. */
interface Slot {
  batches: number;
  shares: boolean;
}

export class Schedule {
  /** In the order in which they have their turns; those of suspects first. */
  #lanes = new Map<string, Work[]>();
  readonly #durations = { done: new Map<string, Duration>(), failed: new Map<string, Duration>() };
  readonly #slots: Slot[];
  #lastLane:
    | {
        readonly fn: ParcelFunction;
        readonly file: string;
        readonly manner: string;
        readonly key: string;
      }
    | undefined;
  #waiting = 0;

  constructor(threads: number) {
    this.#slots = Array.from({ length: threads }, () => ({ batches: 0, shares: false }));
  }

  /** Whether every thread has something to do. */
  get isBusy(): boolean {
    return this.#slots.every((each) => each.batches > 0);
  }

  add(work: Work): void {
    const key = this.#laneOf(work);
    const lane = this.#lanes.get(key);
    if (lane !== undefined) lane.push(work);
    else if (work.suspect === undefined) this.#lanes.set(key, [work]);
    else this.#lanes = new Map([[key, [work]], ...this.#lanes]);
    this.#waiting += 1 + work.companions.length;
  }

  /** The next batch, if there is a thread for it and something waits; it counts as running until `done`. */
  next(): NextBatch | undefined {
    const free = this.#slots.findIndex((each) => each.batches === 0);
    if (free !== -1) return this.#nextFor(free, () => true);
    const shared = this.#slots.findIndex((each) => each.batches === 1 && each.shares);
    // So little may as well wait for whichever thread is free first.
    if (shared === -1 || this.#waiting < this.#slots.length) return undefined;
    return this.#nextFor(shared, (work) => this.#mayShare(work));
  }

  /** A batch has ended. */
  done({ thread }: NextBatch): void {
    const slot = this.#slots[thread];
    if (slot !== undefined) slot.batches--;
  }

  /** Learns how long an attempt took; those that failed count as long as no other one is known. */
  note(functionName: string, outcome: 'done' | 'failed', ms: number): void {
    const durations = this.#durations[outcome];
    const known = durations.get(functionName) ?? { seen: 0, meanMs: ms };
    const weight = Math.max(1 / (known.seen + 1), 0.1);
    durations.set(functionName, {
      seen: known.seen + 1,
      meanMs: known.meanMs + weight * (ms - known.meanMs),
    });
  }

  /** The tasks of a parcel come one after another, and the text would be made for each. */
  #laneOf({ task, file, suspect, alone }: Work): string {
    const manner = suspect !== undefined ? 'suspect' : alone ? 'alone' : '';
    const last = this.#lastLane;
    if (last?.fn === task.fn && last.file === file && last.manner === manner) return last.key;
    const key = `${file} ${task.fn.name} ${manner}`;
    this.#lastLane = { fn: task.fn, file, manner, key };
    return key;
  }

  #nextFor(thread: number, admits: (work: Work) => boolean): NextBatch | undefined {
    for (const [key, lane] of this.#lanes) {
      const leaders = this.#takeFrom(lane, admits);
      const [first] = leaders;
      if (first === undefined) {
        if (lane.length === 0) this.#lanes.delete(key);
        continue;
      }
      // A lane that had its turn goes behind the others.
      if (lane.length === 0 || first.suspect === undefined) this.#lanes.delete(key);
      if (lane.length > 0) this.#lanes.set(key, lane);
      const shares = this.#mayShare(first);
      const slot = this.#slots[thread];
      if (slot !== undefined) {
        slot.batches++;
        slot.shares = shares;
      }
      const works: Work[] = [];
      for (const leader of leaders) {
        works.push(leader);
        for (const companion of leader.companions) works.push(companion);
      }
      return { leaders, works, suspect: first.suspect !== undefined, thread, shares };
    }
    return undefined;
  }

  #takeFrom(lane: Work[], admits: (work: Work) => boolean): Work[] {
    const leaders: Work[] = [];
    let left = 1;
    while (left > 0) {
      const [work] = lane;
      if (work === undefined || (leaders.length === 0 && !work.held.gone && !admits(work))) break;
      lane.shift();
      const tasks = 1 + work.companions.length;
      this.#waiting -= tasks;
      if (work.held.gone) continue;
      if (leaders.length === 0) left = this.#batchSize(work);
      left -= tasks;
      leaders.push(work);
    }
    return leaders;
  }

  #mayShare(work: Work): boolean {
    const { name, timeoutMs } = work.task.fn;
    if (work.suspect !== undefined || work.alone) return false;
    if (timeoutMs !== undefined || work.held.parcel.failFast) return false;
    const known = this.#known(name);
    return known !== undefined && known.seen >= knownAfter && known.meanMs <= quickMs;
  }

  #batchSize(work: Work): number {
    if (!this.#mayShare(work)) return 1;
    const { name } = work.task.fn;
    const meanMs = this.#known(name)?.meanMs ?? batchMs;
    const most = this.#durations.done.has(name) ? batchMax : unprovenMax;
    const byTime = Math.floor(batchMs / Math.max(meanMs, batchMs / most));
    const fair = Math.ceil((this.#waiting + 1) / this.#slots.length);
    return Math.max(1, Math.min(byTime, fair));
  }

  #known(functionName: string): Duration | undefined {
    const { done, failed } = this.#durations;
    return done.get(functionName) ?? failed.get(functionName);
  }
}
