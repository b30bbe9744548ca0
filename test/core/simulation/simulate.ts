/**
 * One simulation: a storm of faults over a project, then calm, in which all must come to its end.
 *
 * The verdict at the end knows from the tasks alone what has to be there: each has the value of a sequential run, or
 * failed for good, or is blocked behind one that did; and nothing is queued, running, waited for or left over.
 */
import type { RunId, TaskId } from '../../../core/identifiers.ts';
import { SimulatedDispatcher } from './dispatcher.ts';
import { actOnce, invalidate, planAll, planSome, submit, type Planning } from './operator.ts';
import type { Process, Steps } from './scheduler.ts';
import { evaluate } from './universe.ts';
import { SimulatedWorker } from './worker.ts';
import { stopMsMax, stormMs, sweepMs, Violation, World, type SimulationOptions } from './world.ts';

/** With all faults over, work is done and everything is tidied up within this time. */
const calmMsMax = 150_000;
const lookEveryMs = 500;
/**
 * In calm a task is begun once, and again for what the storm left behind: old messages, strikes of the poisonous. Each mark
 * that comes then may withdraw a message with many others in it.
 */
const begunInCalmMax = 12;

/** How one simulation went. */
export interface Simulated {
  readonly world: World;
  readonly violation: Violation | undefined;
  /** Virtual time from the end of the faults until nothing was left to do. */
  readonly calmMs: number;
}

/** Runs one simulation; the same seed gives the same one. */
export function simulate(seed: number, options: SimulationOptions = {}): Simulated {
  const world = new World(seed, options);
  const town = new Town(world);
  try {
    world.scheduler.runUntil(stormMs);
    town.calm();
    const calmMs = town.comeToRest();
    if (town.lastRun !== undefined) judge(world, town.lastRun);
    return { world, violation: undefined, calmMs };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const violation = error instanceof Violation ? error : new Violation(String(error.stack));
    return { world, violation, calmMs: Infinity };
  }
}

/** The processes of a project and whoever starts them again. */
class Town {
  /** The run that is planned in calm; undefined until its record is written. */
  lastRun: RunId | undefined;
  readonly #world: World;
  readonly #planning: Planning = { runs: 0, codes: 0 };
  readonly #fate: Process = { name: 'fate', isMortal: false, alive: true, stoppedUntil: 0 };
  readonly #workers: { process: Process; worker: SimulatedWorker }[] = [];
  readonly #dispatchers: { process: Process; dispatcher: SimulatedDispatcher }[] = [];
  readonly #workersWanted: number;
  #count = 0;
  #workersRest = false;
  #isOperatorDone = false;
  #hasEnded = false;

  constructor(world: World) {
    this.#world = world;
    this.#workersWanted = world.random.between(1, 3);
    world.scheduler.spawn(this.#fate, this.#supervise());
    world.scheduler.spawn(this.#fate, this.#operate());
    for (let plans = world.random.between(1, 3); plans > 0; plans--) {
      const at = world.random.below(2000);
      world.scheduler.after(this.#fate, at, () => {
        this.#plan();
      });
    }
  }

  calm(): void {
    this.#world.isCalm = true;
    this.#world.isFull = false;
    this.#world.note?.(undefined, 'the faults stop');
    this.#workersRest = this.#world.random.chance(0.3);
    if (this.#workersRest) for (const { process } of this.#workers) process.alive = false;
    const { scheduler, random } = this.#world;
    scheduler.spawn(this.#fate, this.#end(random.chance(0.5)));
  }

  *#end(invalidates: boolean): Steps {
    yield* invalidates ? this.#planAndInvalidate() : this.#planLast();
    this.#hasEnded = true;
  }

  /** A run during which something is invalidated, and perhaps one process dies, needs nobody to plan it again. */
  *#planAndInvalidate(): Steps {
    const { random, universe } = this.#world;
    // A process that was stopped may not have heard of anything for so long.
    yield stopMsMax;
    yield* this.#planLast();
    yield random.between(0, 300);
    if (this.#isLastRunOver()) return;
    if (random.chance(0.5)) {
      const all = [...this.#workers, ...this.#dispatchers].filter((each) => each.process.alive);
      if (all.length > 0) random.pick(all).process.alive = false;
    }
    yield* invalidate(this.#world, random.below(universe.tasks.length));
    yield 100;
    if (this.#isLastRunOver()) yield* this.#planLast();
  }

  #isLastRunOver(): boolean {
    return this.#world.runs.get(this.lastRun ?? '')?.value?.state !== 'running';
  }

  *#planLast(): Steps {
    this.#world.begunInCalm.clear();
    while (!this.#isOperatorDone) yield 10;
    const plan = planAll(this.#world, this.#planning);
    const recorded = (id: RunId): void => {
      this.lastRun = id;
    };
    yield* submit(this.#world, this.#planning, plan, recorded);
    if (this.#workersRest) yield* this.#checkCode(plan.code);
  }

  /** Lets time pass until nothing is left to do; returns how long that took. */
  comeToRest(): number {
    const { scheduler } = this.#world;
    const begin = scheduler.now;
    while (scheduler.now < begin + calmMsMax) {
      scheduler.runUntil(scheduler.now + lookEveryMs);
      if (this.#isAtRest()) return scheduler.now - begin;
    }
    throw this.#hang();
  }

  #isAtRest(): boolean {
    if (!this.#hasEnded) return false;
    if (this.#world.queue.all(this.#world.now).length > 0) return false;
    if (
      this.#world.runs
        .all()
        .some((each) => each.value?.state === 'running' && !each.key.includes('.'))
    )
      return false;
    const living = this.#workers.filter((each) => each.process.alive);
    if (!living.every((each) => each.worker.isIdle)) return false;
    return this.#dispatchers.some((each) => each.process.alive && each.dispatcher.isQuiet);
  }

  #hang(): Violation {
    const queued = this.#world.queue.all(this.#world.now);
    const running = this.#world.runs.all().filter((each) => each.value?.state === 'running');
    const { values } = evaluate(this.#world.universe);
    const missing = [...values.keys()].flatMap((at) => {
      const id = this.#world.universe.tasks[at]?.id;
      return id !== undefined && this.#world.results.get(id)?.value === undefined ? [id] : [];
    });
    const what = `${queued.length.toString()} messages queued, runs ${running.map((each) => each.key).join()} not over, ${missing.length.toString()} results missing`;
    return new Violation(`something waits for ever: ${what}`, queued[0]?.head ?? missing[0]);
  }

  /** While no worker takes anything, a dispatcher sees to it that no message with older code is left. */
  *#checkCode(code: string): Steps {
    yield 6 * sweepMs;
    const old = this.#world.queue.all(this.#world.now).find((each) => each.parcel.code !== code);
    if (old !== undefined && !this.#isLastRunOver()) {
      throw new Violation(
        `a message with ${old.parcel.code} is queued, the newest is ${code}`,
        old.head,
      );
    }
    this.#workersRest = false;
  }

  *#supervise(): Steps {
    const { random } = this.#world;
    for (;;) {
      this.#keep(this.#workers, this.#workersRest ? 0 : this.#workersWanted, (process) => {
        const queues =
          random.chance(0.2) && this.#workers.length > 0 ? ['default'] : ['default', 'other'];
        return { process, worker: new SimulatedWorker(this.#world, process, queues) };
      });
      this.#keep(this.#dispatchers, 2, (process) => ({
        process,
        dispatcher: new SimulatedDispatcher(this.#world, process),
      }));
      yield random.between(50, 1500);
    }
  }

  #keep<T extends { process: Process }>(
    all: T[],
    wanted: number,
    start: (process: Process) => T,
  ): void {
    for (let at = all.length - 1; at >= 0; at--)
      if (all[at]?.process.alive !== true) all.splice(at, 1);
    while (all.length < wanted) {
      const name = `process ${(++this.#count).toString()}`;
      all.push(start({ name, isMortal: true, alive: true, stoppedUntil: 0 }));
    }
  }

  *#operate(): Steps {
    const { random, weather } = this.#world;
    const { operatorMs } = weather;
    for (let act = operatorMs < Infinity; act; act = !this.#world.isCalm) {
      yield random.between(1, 2 * operatorMs);
      yield* actOnce(this.#world, this.#planning);
    }
    this.#isOperatorDone = true;
  }

  /** A planner may die on the way like anybody. */
  #plan(): void {
    const process = { name: 'a planner', isMortal: true, alive: true, stoppedUntil: 0 };
    const plan = planSome(this.#world, this.#planning);
    this.#world.scheduler.spawn(process, submit(this.#world, this.#planning, plan));
  }
}

function judge(world: World, lastRun: RunId): void {
  const { values, failing } = evaluate(world.universe);
  world.universe.tasks.forEach(({ id }, at) => {
    judgeTask(world, id, values.get(at));
    judgeFailure(world, id, { isFailing: failing.has(at), lastRun });
  });
  const state = world.runs.get(lastRun)?.value?.state;
  const expected = failing.size > 0 ? 'failed' : 'finished';
  if (state !== expected) throw new Violation(`the last run is ${String(state)}, not ${expected}`);
}

function judgeTask(world: World, id: TaskId, value: number | undefined): void {
  const result = world.results.get(id)?.value;
  if (result?.value !== value) {
    const story = `its result is ${String(result?.value)}, a sequential run gives ${String(value)}`;
    throw new Violation(story, id);
  }
  const begun = world.begunInCalm.get(id) ?? 0;
  if (begun > begunInCalmMax + world.marksInCalm)
    throw new Violation(`it was run ${begun.toString()} times in calm`, id);
}

function judgeFailure(
  world: World,
  id: TaskId,
  { isFailing, lastRun }: { isFailing: boolean; lastRun: RunId },
): void {
  const entry = world.failures.get(id);
  const kind = entry?.value?.kind;
  if (kind === (isFailing ? 'final' : undefined)) return;
  if (!isFailing && (entry?.revision ?? 0) > (world.failuresAtEnd.get(lastRun) ?? Infinity)) return;
  throw new Violation(
    `its failure record is ${String(kind)}, but it ${isFailing ? 'fails' : 'has a result or is blocked'}`,
    id,
  );
}
