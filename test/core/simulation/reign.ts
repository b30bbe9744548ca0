/**
 * A simulated reign: what the real host of the dispatcher does, with the real state machine inside.
 *
 * The queue is read, then the failures and the runs, and each run's results; what comes later arrives by following. An
 * answer that is lost makes all that doubtful, and asks for a new reign that reads everything again.
 */
import {
  apply,
  startDispatch,
  validate,
  type DispatchEvent,
  type Instruction,
  type MessagePlace,
} from '../../../core/dispatch.ts';
import { functionOf, TaskIndex } from '../../../core/graph.ts';
import type { RunId, TaskId } from '../../../core/identifiers.ts';
import { HeardResults, type ResultNews } from '../../../core/heard-results.ts';
import { startRun, type KnownFailure } from '../../../core/run-progress.ts';
import type { SimulatedBucket, SimulatedEntry } from './bucket.ts';
import { knownFailure, newsOf, parcelOf, resultEvent } from './entries.ts';
import { learnResults } from './known-results.ts';
import type { Process, Steps } from './scheduler.ts';
import { noteTurn } from './turn-story.ts';
import {
  LostAnswer,
  sweepMs,
  type SimulatedFailure,
  type SimulatedRun,
  type World,
} from './world.ts';

const sweepSoonMs = 200;

/** What a reign needs of its candidate. */
export interface ReignOptions {
  readonly epoch: number;
  readonly isHeld: () => boolean;
  readonly restart: () => void;
}

/** From acquiring the lease until something makes what was read doubtful. */
export class Reign {
  readonly #world: World;
  readonly #process: Process;
  readonly #options: ReignOptions;
  readonly #state = startDispatch();
  readonly #loading = new Map<RunId, DispatchEvent[]>();
  readonly #seenRuns = new Set<RunId>();
  readonly #cancelled = new Set<RunId>();
  readonly #failures = new Map<TaskId, KnownFailure>();
  readonly #followings: { stop(): void }[] = [];
  #events: DispatchEvent[] = [];
  #turning = false;
  #isOpen = false;
  #ended = false;
  #underWay = 0;
  /** Last revision of the failures that was told. */
  #failureSeen = 0;

  constructor(world: World, process: Process, options: ReignOptions) {
    this.#world = world;
    this.#process = process;
    this.#options = options;
    this.#learnDurations();
    this.#spawn(this.#begin());
    this.#spawn(this.#sweepForEver());
  }

  get isQuiet(): boolean {
    const { runs, ledger } = this.#state;
    const isDone = runs.length === 0 && ledger.entries.size === 0;
    const isIdle = this.#underWay === 0 && this.#events.length === 0 && this.#loading.size === 0;
    return this.#isOpen && isDone && isIdle;
  }

  end(): void {
    this.#ended = true;
    for (const following of this.#followings) following.stop();
    this.#world.takenApartHearers.delete(this.#hearTakenApart);
  }

  readonly #hearTakenApart = (place: MessagePlace): void => {
    this.#world.scheduler.after(this.#process, this.#world.random.between(1, 10), () => {
      if (this.#ended) return;
      this.#tell({ kind: 'taken-apart', ...place });
      this.#spawn(this.#sweepLater());
    });
  };

  *#sweepLater(): Steps {
    yield sweepSoonMs;
    yield* this.#sweep();
  }

  /** Small simulations never get to know a function, so some reigns know the quick ones from the start. */
  #learnDurations(): void {
    this.#state.threads = 1;
    if (!this.#world.random.chance(0.5)) return;
    for (const { name, quick } of this.#world.universe.functions) {
      if (quick)
        this.#state.durations.finished.set(name, { seen: 16, meanMs: 0.2, fastestMs: 0.2 });
    }
  }

  *#begin(): Steps {
    const { results, failures, runs } = this.#world;
    yield* this.#inspect(yield* this.#readQueue());
    const from = (yield* this.#world.ask(() => results.lastRevision)) + 1;
    if (this.#ended) return;
    yield* this.#follow(failures, 1, (entry) => {
      this.#seeFailure(entry);
    });
    yield* this.#followResults(from);
    yield* this.#follow(runs, 1, (entry) => {
      this.#seeRun(entry);
    });
    while (this.#loading.size > 0) yield 5;
    this.#world.takenApartHearers.add(this.#hearTakenApart);
    this.#isOpen = true;
    this.#tell({ kind: 'tick' });
  }

  *#sweepForEver(): Steps {
    this.#underWay--;
    while (!this.#ended) {
      yield sweepMs;
      if (this.#isOpen) yield* this.#sweep();
    }
    this.#underWay++;
  }

  *#readQueue(): Steps<MessagePlace[]> {
    return yield* this.#world.ask(() =>
      this.#world.queue.all(this.#world.now).map(({ head, queue }) => ({ head, queue })),
    );
  }

  *#inspect(places: readonly MessagePlace[]): Steps {
    for (const place of places) {
      const message = yield* this.#world.ask(() => this.#world.queue.get(place, this.#world.now));
      if (message === undefined) continue;
      const { code, tasks } = message.parcel;
      const { head, queue } = place;
      this.#tell({ kind: 'found', head, queue, code, tasks });
    }
  }

  /** By words, which come in any order or not at all; and by the stream itself, late. */
  *#followResults(from: number): Steps {
    const { results, scheduler, random } = this.#world;
    const { generation } = results;
    const heard = new HeardResults(from, this.#seeResult);
    const words = results.watch((entry) => {
      if (entry === undefined || random.chance(0.3)) return;
      scheduler.after(this.#process, random.between(1, 200), () => {
        if (!this.#ended && results.generation === generation) heard.hear(newsOf(entry));
      });
    });
    this.#followings.push(words);
    yield* this.#follow(results, from, (entry) => {
      heard.hear(newsOf(entry));
      heard.readUpTo(entry.revision);
    });
  }

  /** Hands over what is there, then whatever comes, in order and late. */
  *#follow<V>(
    bucket: SimulatedBucket<V>,
    from: number,
    onEntry: (entry: SimulatedEntry<V>) => void,
  ): Steps {
    const { random, weather } = this.#world;
    const { generation } = bucket;
    let next = from;
    const deliver = (most: number): boolean => {
      const entries = bucket.read(next, most, () => random.chance(0.5));
      for (const entry of entries) {
        next = entry.revision + 1;
        onEntry(entry);
      }
      return entries.length === most;
    };
    let isAwake = false;
    const wake = (): void => {
      if (isAwake || this.#ended) return;
      isAwake = true;
      const lagMs = this.#world.isCalm ? 10 : random.between(1, weather.lagMs);
      this.#world.scheduler.after(this.#process, lagMs, () => {
        isAwake = false;
        if (this.#ended) return;
        if (bucket.generation !== generation) this.#options.restart();
        else if (deliver(random.between(1, 20))) wake();
      });
    };
    yield random.between(1, 20);
    while (deliver(1000));
    this.#followings.push(bucket.watch(wake));
    if (bucket.generation !== generation) this.#options.restart();
  }

  readonly #seeResult = (news: ResultNews): void => {
    const event = resultEvent(news);
    for (const buffer of this.#loading.values()) buffer.push(event);
    this.#tell(event);
  };

  #seeFailure(entry: SimulatedEntry<SimulatedFailure>): void {
    const failure = knownFailure(entry);
    const id = entry.key as TaskId;
    this.#failureSeen = Math.max(this.#failureSeen, failure.revision);
    const isNews = failure.revision > (this.#failures.get(id)?.revision ?? 0);
    if (isNews) this.#failures.set(id, failure);
    this.#tell({ kind: 'failure', id, failure });
  }

  #seeRun({ key, value }: SimulatedEntry<SimulatedRun>): void {
    const [id, wish] = key.split('.') as [RunId, string | undefined];
    if (value === undefined) return;
    if (wish !== undefined) {
      if (this.#cancelled.has(id)) return;
      this.#cancelled.add(id);
      this.#tell({ kind: 'run-removed', run: id, recall: 'all' });
      this.#spawn(this.#record(id, 'cancelled'));
      return;
    }
    if (this.#seenRuns.has(id) || value.state !== 'running' || this.#cancelled.has(id)) return;
    this.#seenRuns.add(id);
    const seen: DispatchEvent[] = [];
    this.#loading.set(id, seen);
    this.#spawn(this.#load(id, value, seen));
  }

  *#load(id: RunId, { plan, basis }: SimulatedRun, seen: DispatchEvent[]): Steps {
    // The run's record may have overtaken the failures that its planner cleared before.
    if (this.#world.without !== 'failures') {
      const failures = yield* this.#world.ask(() => this.#world.failures.all());
      for (const entry of failures) this.#seeFailure(entry);
    }
    const known = yield* learnResults(this.#world, plan);
    this.#loading.delete(id);
    if (this.#ended || this.#cancelled.has(id)) return;
    const index = new TaskIndex(plan.graph);
    const failures = [...this.#failures].flatMap(([task, failure]) => {
      const position = index.find(task);
      return position === -1 ? [] : [[position, failure] as const];
    });
    this.#tell({ kind: 'run-added', run: startRun({ id, plan, basis }, known, failures, () => 1) });
    for (const event of seen) this.#tell(event);
    this.#spawn(this.#record(id, 'running'));
    this.#world.note?.(undefined, `${this.#process.name} has loaded run ${id}`);
  }

  #tell(event: DispatchEvent): void {
    this.#events.push(event);
    if (this.#turning || this.#ended) return;
    this.#turning = true;
    this.#world.scheduler.after(this.#process, this.#world.random.below(5), () => {
      this.#turning = false;
      if (this.#ended || !this.#isOpen) return;
      if (this.#options.isHeld()) this.#turn();
    });
  }

  #turn(): void {
    const events = this.#events;
    this.#events = [];
    const instructions = apply(this.#state, events, this.#world.now);
    noteTurn(this.#world, this.#process.name, { events, instructions });
    validate(this.#state);
    for (const instruction of instructions) {
      if (instruction.kind === 'complete') {
        this.#world.failuresAtEnd.set(instruction.run.id, this.#failureSeen);
      }
      this.#spawn(this.#perform(instruction));
    }
    const due = Math.min(
      ...this.#state.runs.map((run) => run.dueFrom),
      this.#state.heldUntil || Infinity,
    );
    if (due === Infinity) return;
    this.#world.scheduler.after(this.#process, Math.max(1, due - this.#world.now), () => {
      if (!this.#ended) this.#tell({ kind: 'tick' });
    });
  }

  *#perform(instruction: Instruction): Steps {
    switch (instruction.kind) {
      case 'publish':
        return yield* this.#publish(instruction);
      case 'clear-failure': {
        const { id, revision } = instruction;
        yield* this.#world.send(() => this.#world.failures.put(id, undefined, revision));
        return;
      }
      case 'drop': {
        const { id, revision } = instruction;
        yield* this.#world.send(() => this.#world.results.put(id, undefined, revision));
        return;
      }
      case 'withdraw':
        return yield* this.#withdraw(instruction);
      case 'inspect':
        return yield* this.#inspect(instruction.messages);
      case 'verify':
        return yield* this.#verify(instruction.tasks, instruction.readAt);
      case 'go-on':
        this.#tell({ kind: 'tick' });
        return;
      case 'complete':
        return yield* this.#record(instruction.run.id, instruction.outcome);
    }
  }

  *#publish({ run, head, tasks, quick }: Instruction & { kind: 'publish' }): Steps {
    const parcel = parcelOf(run, tasks, quick);
    const ids = parcel.tasks.map((each) => each.id);
    const { queue } = functionOf(run.plan.graph, tasks[0] ?? 0);
    const outcome = yield* this.#world.send(() => {
      if (this.#world.isFull) return 'full';
      const { now } = this.#world;
      return this.#world.queue.publish({ head, queue }, parcel, now) ? 'accepted' : 'occupied';
    });
    for (const id of ids) this.#world.note?.(id, `${this.#process.name} published it: ${outcome}`);
    if (outcome === 'full') this.#tell({ kind: 'refused', tasks: ids });
    if (outcome !== 'occupied' || this.#ended) return;
    yield* this.#inspect([{ head, queue }]);
    yield* this.#sweepLater();
  }

  *#withdraw({ head, queue }: MessagePlace): Steps {
    const found = yield* this.#world.ask(() =>
      this.#world.queue.get({ head, queue }, this.#world.now),
    );
    if (found !== undefined) {
      yield* this.#world.ask(() => {
        this.#world.queue.delete(found.sequence);
      });
      this.#world.note?.(
        head,
        `${this.#process.name} withdrew message ${found.sequence.toString()}`,
      );
    }
    this.#tell({ kind: 'withdrawn', head, queue });
  }

  *#verify(tasks: readonly TaskId[], readAt: number): Steps {
    const absent: TaskId[] = [];
    for (const id of tasks) {
      const result = yield* this.#world.ask(() => this.#world.results.get(id));
      const failure = yield* this.#world.ask(() => this.#world.failures.get(id));
      if (result !== undefined) this.#tell(resultEvent(newsOf(result)));
      if (failure !== undefined) this.#seeFailure(failure);
      const hasFailed = failure?.value?.kind === 'retry' || failure?.value?.kind === 'final';
      if (result?.value === undefined && !hasFailed) absent.push(id);
    }
    this.#tell({ kind: 'absent', tasks: absent, readAt });
  }

  *#sweep(): Steps {
    if (this.#ended || this.#world.without === 'sweep') return;
    const readAt = this.#world.now;
    this.#tell({ kind: 'swept', messages: yield* this.#readQueue(), readAt });
  }

  /** Writes how a run ended, unless a later dispatcher has written to it. */
  *#record(id: RunId, state: SimulatedRun['state']): Steps {
    for (;;) {
      const entry = yield* this.#world.ask(() => this.#world.runs.get(id));
      const record = entry?.value;
      if (record === undefined || record.state !== 'running') return;
      if (record.epoch > this.#options.epoch) return;
      const next = { ...record, state, epoch: this.#options.epoch };
      const revision = yield* this.#world.send(() =>
        this.#world.runs.put(id, next, entry?.revision ?? 0),
      );
      if (revision === undefined) continue;
      if (state === 'running') return;
      this.#world.judgeEnd(id, record, state);
      this.#world.note?.(undefined, `run ${id} is ${state}`);
    }
  }

  /** Steps of this reign: an answer that is lost makes what was read doubtful. */
  #spawn(steps: Steps): void {
    this.#world.scheduler.spawn(this.#process, this.#guard(steps));
  }

  *#guard(steps: Steps): Steps {
    this.#underWay++;
    try {
      yield* steps;
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error;
      this.#options.restart();
    } finally {
      this.#underWay--;
    }
  }
}
