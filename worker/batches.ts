/** Runs what is ready in threads, batch by batch, and stores what comes of it. */
import { invariant } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { ParcelTask } from '../core/parcel.ts';
import type { HeldParcel } from './held-parcels.ts';
import type { TaskEnd } from './parcel-ends.ts';
import type { Schedule, NextBatch, Work } from './schedule.ts';
import { storeResult, type AttemptFailure } from './store-outcome.ts';
import { packTasks, type Outcome } from './task-protocol.ts';
import { RunnerDied, type Runner } from './task-runner.ts';
import { strike } from './suspects.ts';
import { failTask, handBackFailed, type WorkerContext } from './worker-context.ts';

/** What the worker does on behalf of its batches. */
export interface BatchWishes {
  /** A thread has become free. */
  readonly onBatchEnd: () => void;
  /** What a whole parcel of a task's function takes, judged by one of its tasks. */
  readonly onParcelMs: (ms: number) => void;
  /** A task has killed its process: it is tried again in one of its own. */
  readonly rerunSuspect: (held: HeldParcel, task: ParcelTask, died: boolean) => Promise<void>;
  /** A follower is to be run, with what it takes from its parcel read like any other input. */
  readonly rerunFollower: (held: HeldParcel, task: ParcelTask) => Promise<void>;
}

export class Batches {
  readonly #context: WorkerContext;
  readonly #schedule: Schedule;
  readonly #threads: readonly Runner[];
  readonly #suspects: Runner;
  readonly #wishes: BatchWishes;
  /** What runs, and what ends it when nobody wants it any more. */
  readonly #batches = new Map<AbortController, readonly Work[]>();
  readonly #runningNow = new Map<string, number>();
  #begun = 0;
  #pumping = false;

  constructor(
    context: WorkerContext,
    parts: {
      readonly schedule: Schedule;
      readonly threads: readonly Runner[];
      readonly suspects: Runner;
    },
    wishes: BatchWishes,
  ) {
    this.#context = context;
    this.#schedule = parts.schedule;
    this.#threads = parts.threads;
    this.#suspects = parts.suspects;
    this.#wishes = wishes;
  }

  /** How many tasks have been started. */
  get begun(): number {
    return this.#begun;
  }

  /** Tasks that run now, by function; functions of which none runs may be there with 0. */
  get running(): ReadonlyMap<string, number> {
    return this.#runningNow;
  }

  /** Ends the batches that hold something which is gone. */
  recallGone(): void {
    for (const [abort, works] of this.#batches) {
      if (works.some((each) => each.held.gone)) abort.abort();
    }
  }

  add(work: Work): void {
    this.#schedule.add(work);
  }

  /** Hands work to free threads once all that has just been received is there: batches, not drops. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    queueMicrotask(() => {
      this.#pumping = false;
      this.#startBatches();
    });
  }

  #startBatches(): void {
    for (let batch = this.#schedule.next(); batch !== undefined; batch = this.#schedule.next()) {
      void this.#run(batch);
    }
  }

  async #run(next: NextBatch): Promise<void> {
    const { works, suspect } = next;
    const [first] = works;
    invariant(first, 'a batch has a task');
    const { timeoutMs } = first.task.fn;
    const runner = suspect ? this.#suspects : this.#threads[next.thread];
    invariant(runner, 'a batch has a thread');
    const tasks = packTasks(works.map((each) => each.runnable));
    const recalled = new AbortController();
    const ends = { tasks: works.map((each) => each.task.id), timeoutMs, recalled: recalled.signal };
    let batch = next;
    // A suspect begins when there is a process for it.
    let isBegun = !suspect;
    const begin = async (): Promise<boolean> => {
      batch = await this.#onRecord(next);
      this.#countBegun(batch.works, 1);
      isBegun = true;
      return batch.works.length > 0;
    };
    if (isBegun) this.#countBegun(works, 1);
    this.#batches.set(recalled, works);
    try {
      const outcomes = await runner.run(
        { file: first.file, tasks },
        suspect ? { ...ends, begin } : ends,
      );
      batch.works.forEach((work, at) => {
        const outcome = outcomes[at];
        if (outcome !== undefined) this.#conclude(work, outcome);
      });
    } catch (error) {
      this.#runnerDied(batch, error);
    } finally {
      this.#batches.delete(recalled);
      if (isBegun) this.#countBegun(batch.works, -1);
      this.#schedule.done(next);
      this.#wishes.onBatchEnd();
      this.pump();
    }
  }

  /**
   * Puts a suspect on record, now that a thread's place is free for it and its process has been started: a record that
   * was written while it waits would accuse it whenever it is handed back for another worker, and one that was written
   * before the process is there, of what its machine cannot do.
   *
   * @returns the batch without it if nothing is left to be run
   */
  async #onRecord(batch: NextBatch): Promise<NextBatch> {
    const works: Work[] = [];
    for (const work of batch.works.filter((each) => !each.held.gone)) {
      const { held, task } = work;
      held.started = true;
      try {
        const struck = await strike(this.#context, task, work.suspect?.died === true);
        if (struck.kind === 'settled') {
          this.#context.held.settle(held, task.id, 'none');
          continue;
        }
        const known = { failureRevision: struck.revision, strikes: struck.strikes };
        if (struck.kind === 'poison') {
          const error = { name: 'KilledItsWorker', message: struck.why, stack: '' };
          await failTask(this.#context, held, task, { error, output: '', final: true, ...known });
        } else if (!held.gone) works.push({ ...work, suspect: { ...known, died: false } });
      } catch (error) {
        handBackFailed(this.#context, held, error);
      }
    }
    return { ...batch, leaders: works, works };
  }

  #conclude(work: Work, outcome: Outcome): void {
    if (outcome.kind === 'skipped') {
      this.#runAlone(work);
      return;
    }
    const { held, task } = work;
    const { kind, ms } = outcome;
    this.#schedule.note(task.fn.name, kind, ms);
    this.#wishes.onParcelMs((ms + handlingMs) * held.parcel.tasks.length);
    if (!followsInBatch(work)) {
      this.#keep(work, outcome);
      return;
    }
    this.#noteBegun(task.id);
    // What it was made of counts only when it is stored, and only if nobody else's is.
    held.ends?.whenFollowed(task, (end) => {
      if (end === 'accepted') this.#keep(work, outcome);
      else this.#follow(work, end);
    });
  }

  #noteBegun(task: TaskId): void {
    this.#begun++;
    this.#context.trace({ kind: 'task-started', task });
  }

  /** Makes an outcome last. */
  #keep(work: Work, outcome: Exclude<Outcome, { kind: 'skipped' }>): void {
    const { held, task } = work;
    if (outcome.kind === 'failed') {
      const { error, output, ms } = outcome;
      this.#failLater(work, { error, output, ms, final: false });
      return;
    }
    const failureRevision = work.suspect?.failureRevision ?? task.failureExpects;
    const attempted = { parcel: held.parcel, task, failureRevision };
    storeResult(this.#context, attempted, outcome, (end) => {
      this.#context.held.settle(held, task.id, end);
    });
  }

  /** What a follower takes from its parcel has ended, and the follower has not been run with that. */
  #follow({ held, task }: Work, end: TaskEnd): void {
    if (end === 'none') {
      // The dispatcher hears why, and publishes it when there is a result to take.
      this.#context.held.settle(held, task.id, 'none');
      return;
    }
    held.ends?.rerun(task.id);
    this.#wishes.rerunFollower(held, task).catch((error: unknown) => {
      handBackFailed(this.#context, held, error);
    });
  }

  /** The thread or process ended under its tasks. One task alone did it; of several, each is tried by itself. */
  #runnerDied({ leaders, works, shares }: NextBatch, error: unknown): void {
    const death = error instanceof RunnerDied ? error : new RunnerDied('exit', String(error));
    const [only] = works;
    if (death.kind === 'aborted' || only === undefined) return;
    if (death.kind === 'unstarted') {
      // It is the machine's doing, which may change; another worker may have it meanwhile.
      handBackFailed(this.#context, only.held, death);
      return;
    }
    if (death.kind === 'recalled') {
      // Those who only shared the batch begin again; what is gone falls out of the schedule.
      for (const work of leaders) this.#schedule.add(work);
      return;
    }
    if (shares || works.length > 1) {
      for (const work of works) this.#runAlone(work);
      return;
    }
    // A thread may end of what another task left in it: only in a process of its own is it this one's doing.
    if (death.kind === 'killed' || (death.kind === 'exit' && only.suspect === undefined)) {
      const died = death.kind === 'killed';
      this.#wishes.rerunSuspect(only.held, only.task, died).catch((again: unknown) => {
        handBackFailed(this.#context, only.held, again);
      });
      return;
    }
    const { kind, message } = death;
    this.#failLater(only, {
      error: { name: deathNames[kind], message, stack: '' },
      output: '',
      final: false,
    });
  }

  /** Nothing came of it in its batch: it is run by itself, a follower once what it takes has ended. */
  #runAlone(work: Work): void {
    if (followsInBatch(work)) {
      work.held.ends?.whenFollowed(work.task, (end) => {
        this.#follow(work, end);
      });
    } else {
      this.#schedule.add({ ...work, companions: [], alone: true });
    }
  }

  #failLater(work: Work, failure: Omit<AttemptFailure, 'failureRevision' | 'strikes'>): void {
    const { failureRevision = work.task.failureExpects, strikes = 0 } = work.suspect ?? {};
    failTask(this.#context, work.held, work.task, { ...failure, failureRevision, strikes }).catch(
      (error: unknown) => {
        handBackFailed(this.#context, work.held, error);
      },
    );
  }

  #countBegun(works: readonly Work[], change: 1 | -1): void {
    for (const work of works) {
      const { held, task } = work;
      const { name } = task.fn;
      this.#runningNow.set(name, (this.#runningNow.get(name) ?? 0) + change);
      if (change < 0) continue;
      held.started = true;
      // A follower may be skipped: whether it was begun is known when its outcome is.
      if (!followsInBatch(work)) this.#noteBegun(task.id);
    }
  }
}

/** Whether a task takes what others in its batch give. */
function followsInBatch({ held, runnable }: Work): boolean {
  return held.ends !== undefined && runnable.inputs.some((each) => typeof each === 'string');
}

/** What a task costs its worker besides its run: what is taken ahead of tiny tasks is bounded by this. */
const handlingMs = 0.02;

const deathNames = { timeout: 'Timeout', memory: 'OutOfMemory', exit: 'Exit' } as const;
