/** Everything that the simulated processes share: the server, the tasks, chance, and the story of what happened. */
import type { MessagePlace } from '../../../core/dispatch.ts';
import { idOf } from '../../../core/graph.ts';
import type { RunId, TaskId } from '../../../core/identifiers.ts';
import type { FailureRecord } from '../../../core/records.ts';
import type { Plan } from '../../../core/plan-format.ts';
import { SimulatedBucket } from './bucket.ts';
import { SimulatedQueue } from './queue.ts';
import { startRandom, type Random } from './random.ts';
import { Scheduler, type Process, type Steps } from './scheduler.ts';
import { makeUniverse, type Universe } from './universe.ts';

/** Milliseconds of virtual time; their proportions are those of the real ones. */
export const ackWaitMs = 3000;
export const sweepMs = 3000;
export const leaseMs = 1500;
export const stormMs = 20_000;
/** Longer than the ack wait and the lease. */
export const stopMsMax = 2.5 * ackWaitMs;

/** A result as it is stored. */
export interface SimulatedResult {
  readonly value: number;
  readonly ms: number;
  /** The revisions that were read for it. */
  readonly inputs: readonly { readonly id: TaskId; readonly revision: number }[];
}

/** A run's record, or (with `.cancel` at the end of its key) the wish to cancel it. */
export interface SimulatedRun {
  readonly state: 'running' | 'finished' | 'failed' | 'cancelled';
  readonly plan: Plan;
  readonly basis: number;
  readonly epoch: number;
}

export type SimulatedFailure = Pick<
  FailureRecord,
  'kind' | 'attempt' | 'strikes' | 'vanished' | 'dueAt' | 'expects'
>;

/** How likely what goes wrong is in this simulation. */
export interface Weather {
  /** Of a process at each of its steps. */
  readonly crash: number;
  readonly stop: number;
  /** Of a call: it happened, but the answer is lost. */
  readonly lostAnswer: number;
  /** Of a read from a replica that lags. */
  readonly lateReplica: number;
  readonly lostAck: number;
  /** Longest time until a follower hears of an entry, ms. */
  readonly lagMs: number;
  /** How long a dispatcher may go on after it lost its lease, ms. */
  readonly overstayMs: number;
  /** Average time between two acts of an operator, ms; Infinity: none. */
  readonly operatorMs: number;
  /** What the operator does half of the time, see `actOnce`; the other half it is any act. */
  readonly favouriteAct: number;
  readonly losesResults: boolean;
}

/** The marks of one `invalidate`, by task. */
export type Invalidation = Map<TaskId, number>;

/**
 * Rules that a simulation can go without, to show that it would notice: inputs older than a task's own marker are not
 * taken from memory; a replica does not have the last word; a run is loaded with the failures as they are then;
 * what is believed queued is compared with the queue; what a follower takes counts only when it is stored; what a planner
 * knew of results is brought up to date.
 */
export type BrokenRule = 'memory' | 'replica' | 'failures' | 'sweep' | 'followers' | 'past';

export interface SimulationOptions {
  readonly tellsStory?: boolean;
  readonly without?: BrokenRule;
}

/** A violation of what was promised; `about` is the task, if it is about one. */
export class Violation extends Error {
  readonly about: TaskId | undefined;

  constructor(message: string, about?: TaskId) {
    super(message);
    this.about = about;
  }
}

/** An answer that never came: whoever asked knows nothing. */
export class LostAnswer extends Error {}

export class World {
  readonly random: Random;
  readonly weather: Weather;
  readonly universe: Universe;
  readonly scheduler: Scheduler;
  readonly queue = new SimulatedQueue(ackWaitMs);
  readonly results = new SimulatedBucket<SimulatedResult>();
  readonly failures = new SimulatedBucket<SimulatedFailure>();
  readonly runs = new SimulatedBucket<SimulatedRun>();
  readonly invalidations: Invalidation[] = [];
  /** Marks that were made since the faults stopped. */
  marksInCalm = 0;
  /** Who is told that a message was taken apart. */
  readonly takenApartHearers = new Set<(place: MessagePlace) => void>();
  /** How often each task was begun since the faults stopped. */
  readonly begunInCalm = new Map<TaskId, number>();
  /** Last revisions when a run's record was written. */
  readonly startedAt = new Map<string, { readonly results: number; readonly failures: number }>();
  /** Last revision of the failures that was known when a run ended: what comes later stays until it is planned again. */
  readonly failuresAtEnd = new Map<RunId, number>();
  readonly story: { readonly at: number; readonly about: TaskId | undefined; text: string }[] = [];
  lease = { holder: '', epoch: 0, renewedAt: -Infinity };
  /** No more faults. */
  isCalm = false;
  isFull = false;
  /** Rule that nobody follows here. */
  readonly without: BrokenRule | undefined;
  readonly #tellsStory: boolean;

  constructor(seed: number, options: SimulationOptions) {
    this.random = startRandom(seed);
    this.without = options.without;
    this.#tellsStory = options.tellsStory ?? false;
    this.weather = makeWeather(this.random);
    this.universe = makeUniverse(this.random);
    this.scheduler = new Scheduler((process) => {
      this.#strike(process);
    });
  }

  tellTakenApart(place: MessagePlace): void {
    for (const hear of this.takenApartHearers) hear(place);
  }

  get now(): number {
    return this.scheduler.now;
  }

  /** Writes the story, if anybody wants it; what is not about one task concerns all. */
  get note(): ((about: TaskId | undefined, text: string) => void) | undefined {
    return this.#tellsStory ? this.#write : undefined;
  }

  /** Whether a fault of this probability happens now. */
  fault(probability: number): boolean {
    return !this.isCalm && this.random.chance(probability);
  }

  /** Does something on the server, as a request whose answer may be lost. */
  *ask<T>(act: () => T): Steps<T> {
    yield this.random.between(1, 10);
    const answer = act();
    yield this.random.between(1, 10);
    if (this.fault(this.weather.lostAnswer)) throw new LostAnswer();
    return answer;
  }

  /** Does something on the server by a message that is sent again until it is answered: twice, when an answer was lost. */
  *send<T>(act: () => T): Steps<T> {
    yield this.random.between(1, 10);
    while (this.fault(this.weather.lostAnswer)) {
      // Lost on its way there, or on its way back.
      if (this.random.chance(0.7)) act();
      yield this.random.between(50, 500);
    }
    const answer = act();
    yield this.random.between(1, 10);
    return answer;
  }

  /**
   * Takes a result in if its key is as expected, and checks what was promised of accepted results.
   *
   * @returns the revision; undefined: refused
   */
  accept(id: TaskId, result: SimulatedResult, expects: number): number | undefined {
    const before = this.results.get(id);
    const revision = this.results.put(id, result, expects);
    if (revision === undefined) return undefined;
    if (before?.value !== undefined) throw new Violation('a second result was accepted', id);
    for (const marks of this.invalidations) {
      const own = marks.get(id);
      if (own === undefined || own > revision) continue;
      for (const input of result.inputs) {
        if (input.revision >= (marks.get(input.id) ?? 0)) continue;
        const story = `revision ${input.revision.toString()} of ${input.id}`;
        throw new Violation(`a result made from invalidated inputs was accepted: ${story}`, id);
      }
    }
    return revision;
  }

  /** Checks that what is said of a run's end is true, or has been since the run began. */
  judgeEnd(id: RunId, { plan }: SimulatedRun, state: SimulatedRun['state']): void {
    const start = this.startedAt.get(id);
    if (start === undefined || this.weather.losesResults) return;
    for (let task = 0; task < plan.graph.count; task++) {
      const key = idOf(plan.graph, task);
      const hasFailed = this.failures
        .since(key, start.failures)
        .some((each) => each.value?.kind === 'final');
      if (state === 'failed' && hasFailed) return;
      const hasFinished = this.results.since(key, start.results).some((each) => each.value);
      if (state === 'finished' && !hasFinished) throw new Violation('it never finished', key);
    }
    if (state === 'failed')
      throw new Violation(`run ${id} is said to have failed: nothing in it has`);
  }

  #strike(process: Process): void {
    if (this.fault(this.weather.crash)) {
      process.alive = false;
      this.note?.(undefined, `${process.name} is killed`);
    } else if (this.fault(this.weather.stop)) {
      process.stoppedUntil = this.now + this.random.between(10, stopMsMax);
      this.note?.(undefined, `${process.name} is stopped until ${process.stoppedUntil.toString()}`);
    }
  }

  readonly #write = (about: TaskId | undefined, text: string): void => {
    this.story.push({ at: this.now, about, text });
  };
}

function makeWeather(random: Random): Weather {
  const often = (most: number): number => (random.chance(0.4) ? 0 : most * random.next() ** 2);
  return {
    crash: often(0.02),
    stop: often(0.01),
    lostAnswer: often(0.2),
    lateReplica: often(0.3),
    lostAck: often(0.3),
    lagMs: random.chance(0.5) ? 10 : random.between(10, 1500),
    overstayMs: random.chance(0.5) ? 0 : random.between(0, 2 * leaseMs),
    operatorMs: random.chance(0.3) ? Infinity : random.between(200, 200 + random.below(6000)),
    favouriteAct: random.below(8),
    losesResults: random.chance(0.15),
  };
}
