/**
 * A simulated worker: takes parcels, runs their tasks, stores what they give, and acknowledges what is stored, by the
 * rules of the real one: looks first unless a parcel is quick and new, takes redelivered parcels apart, records a strike
 * before it runs a suspect, reports an input that is missing by a marker, believes no refusal, and runs a follower with
 * what was stored.
 */
import type { TaskId } from '../../../core/identifiers.ts';
import type { ParcelTask } from '../../../core/parcel.ts';
import { SimulatedInputs, type Present, type ReadInput } from './inputs.ts';
import {
  followedBy,
  handBackAnew,
  holdNow,
  isConcluded,
  type Attempt,
  type Held,
  type TaskEnd,
} from './held.ts';
import type { Process, Steps } from './scheduler.ts';
import { valueOf } from './universe.ts';
import {
  ackWaitMs,
  LostAnswer,
  type SimulatedFailure,
  type SimulatedResult,
  type World,
} from './world.ts';

interface Suspicion {
  readonly failureRevision: number;
  readonly strikes: number;
}

const strikesMax = 3;
const vanishedMax = 10;
const lostShare = 0.9;
const heldMax = 3;
const backoffMs = 200;

export class SimulatedWorker {
  readonly #world: World;
  readonly #process: Process;
  readonly #queues: readonly string[];
  readonly #held = new Set<Held>();
  readonly #inputs: SimulatedInputs;

  constructor(world: World, process: Process, queues: readonly string[]) {
    this.#world = world;
    this.#process = process;
    this.#queues = queues;
    this.#inputs = new SimulatedInputs(world);
    world.scheduler.spawn(process, this.#pull());
    world.scheduler.spawn(process, this.#beat());
  }

  get isIdle(): boolean {
    return this.#held.size === 0;
  }

  *#pull(): Steps {
    const { random, queue } = this.#world;
    for (;;) {
      yield random.between(5, 60);
      if (this.#held.size >= heldMax) continue;
      const delivery = queue.deliver(this.#world.now, this.#queues, (free) => random.pick(free));
      if (delivery === undefined) continue;
      const { parcel } = delivery.message;
      const held = holdNow(delivery, this.#world.now);
      this.#held.add(held);
      for (const { id } of parcel.tasks)
        this.#note(
          id,
          `takes it, delivery ${delivery.number.toString()} of message ${delivery.message.sequence.toString()}`,
        );
      this.#world.scheduler.spawn(this.#process, this.#handle(held));
    }
  }

  *#beat(): Steps {
    for (;;) {
      yield ackWaitMs / 3;
      for (const held of this.#held) {
        if (this.#isLate(held)) held.gone = true;
        if (held.gone) continue;
        held.aliveAt = this.#world.now;
        this.#world.queue.extend(held.delivery, this.#world.now);
      }
    }
  }

  *#handle(held: Held): Steps {
    try {
      yield this.#world.random.between(1, 10);
      if (held.delivery.number === 1 && this.#world.fault(0.05)) {
        this.#held.delete(held);
        yield* handBackAnew(this.#world, held);
      } else if (held.delivery.number > 1) yield* this.#prepareSuspect(held);
      else yield* this.#prepare(held);
    } catch (error) {
      if (!(error instanceof LostAnswer)) throw error;
      this.#handBack(held, 100);
    }
  }

  *#prepare(held: Held): Steps {
    const { parcel } = held;
    const tasks = parcel.quick ? parcel.tasks : yield* this.#openTasks(held);
    if (tasks.some((each) => followedBy(held, each).length > 0)) {
      return yield* this.#runTogether(held, tasks);
    }
    for (const task of tasks) yield* this.#runTask(held, task);
  }

  /** All are run, followers with what the others have given; only then is anything stored. */
  *#runTogether(held: Held, tasks: readonly ParcelTask[]): Steps {
    const attempts = new Map<TaskId, Attempt>();
    const missing = new Set<TaskId>();
    for (const task of tasks) {
      const inputs: Present[] = [];
      for (const reference of task.inputs) {
        if (followedBy(held, task).includes(reference.id)) {
          const value = attempts.get(reference.id)?.value;
          if (value !== undefined) inputs.push({ kind: 'there', revision: 0, value });
          continue;
        }
        const input = yield* this.#inputs.readFor(task, reference);
        if (input.kind === 'there') inputs.push(input);
        else if (!missing.has(task.id)) {
          missing.add(task.id);
          yield* this.#reportMissing(held, task, input, undefined);
        }
      }
      if (missing.has(task.id) || inputs.length < task.inputs.length) continue;
      const attempt = yield* this.#attempt(held, task, inputs);
      if (attempt !== undefined) attempts.set(task.id, attempt);
    }
    for (const task of tasks) {
      if (!missing.has(task.id)) yield* this.#concludeTogether(held, task, attempts.get(task.id));
    }
  }

  *#concludeTogether(held: Held, task: ParcelTask, attempt: Attempt | undefined): Steps {
    const followed = followedBy(held, task);
    const isBlind = this.#world.without === 'followers' && attempt !== undefined;
    const ends = followed.map((id) => (isBlind ? 'accepted' : (held.ends.get(id) ?? 'none')));
    if (ends.includes('none')) {
      this.#note(task.id, 'cannot follow');
      this.#settle(held, task.id, 'none');
    } else if (attempt === undefined || ends.includes('other')) {
      this.#note(task.id, 'rereads what it follows');
      held.rerun.add(task.id);
      yield* this.#runTask(held, task);
    } else {
      if (followed.length > 0) this.#note(task.id, 'follows');
      const inputs = task.inputs.map(({ id }, at): Present => {
        const input = attempt.inputs[at] ?? { kind: 'there', revision: 0, value: 0 };
        if (!followed.includes(id)) return input;
        return { ...input, revision: this.#inputs.remembered(id) };
      });
      yield* this.#conclude(held, task, { ...attempt, inputs });
    }
  }

  *#prepareSuspect(held: Held): Steps {
    const [head, ...rest] = held.parcel.tasks;
    const open = yield* this.#openTasks(held);
    const isKnown = (id: TaskId): boolean => held.ends.get(id) === 'other';
    const { queue } = held.delivery.message;
    let isApart = false;
    for (const task of rest.filter((each) => open.includes(each))) {
      if (!followedBy(held, task).every(isKnown)) {
        isApart = true;
        this.#note(task.id, 'leaves it out: it waits for others');
        this.#settle(held, task.id, 'none');
        continue;
      }
      const accepted = yield* this.#world.send(() => {
        if (this.#world.isFull) return 'full';
        const place = { head: task.id, queue };
        const parcel = { ...held.parcel, tasks: [task] };
        return this.#world.queue.publish(place, parcel, this.#world.now) ? 'accepted' : 'occupied';
      });
      this.#note(task.id, `publishes it by itself: ${accepted}`);
      if (accepted === 'full') {
        this.#handBack(held, 100);
        return;
      }
      this.#settle(held, task.id, 'none');
    }
    if (isApart && head !== undefined && !this.#world.fault(0.3)) {
      this.#world.tellTakenApart({ head: head.id, queue });
    }
    if (head !== undefined && open.includes(head)) yield* this.#runSuspect(held, head);
  }

  *#runSuspect(held: Held, task: ParcelTask, died = false): Steps {
    const { attempt, expects } = task;
    for (;;) {
      const entry = yield* this.#world.ask(() => this.#world.failures.get(task.id));
      const known = entry?.value;
      if (known !== undefined && isConcluded(known, task)) {
        this.#settle(held, task.id, 'none');
        return;
      }
      const before = known?.kind === 'strike' ? known : { strikes: 0, vanished: 0 };
      const revision = entry?.revision ?? 0;
      const strikes = before.strikes + Number(died);
      const vanished = died ? 0 : (before.vanished ?? 0);
      if (strikes >= strikesMax || vanished >= vanishedMax) {
        const suspicion = { failureRevision: revision, strikes };
        return yield* this.#fail(held, task, { ...suspicion, isFinal: true });
      }
      const counts = { strikes, vanished: vanished + 1 };
      const record = { kind: 'strike' as const, attempt, ...counts, expects };
      const failureRevision = yield* this.#putFailure(task.id, record, revision);
      if (failureRevision === undefined) continue;
      return yield* this.#runTask(held, task, { failureRevision, strikes });
    }
  }

  /** Settles what has a result or was marked since, and gives the others. */
  *#openTasks(held: Held): Steps<readonly ParcelTask[]> {
    const { known, overtaken } = yield* this.#inputs.lookUp(held.parcel.tasks);
    for (const id of known) this.#settle(held, id, 'other');
    for (const id of overtaken) this.#note(id, 'leaves it: it was marked since');
    for (const id of overtaken) this.#settle(held, id, 'none');
    return held.parcel.tasks.filter(({ id }) => !known.includes(id) && !overtaken.includes(id));
  }

  *#runTask(held: Held, task: ParcelTask, suspicion?: Suspicion): Steps {
    const inputs: Present[] = [];
    for (const reference of task.inputs) {
      const input = yield* this.#inputs.readFor(task, reference);
      if (input.kind === 'missing') return yield* this.#reportMissing(held, task, input, suspicion);
      inputs.push(input);
    }
    const attempt = yield* this.#attempt(held, task, inputs, suspicion);
    if (attempt !== undefined) yield* this.#conclude(held, task, attempt, suspicion);
  }

  /** @returns undefined: its process died of it */
  *#attempt(
    held: Held,
    task: ParcelTask,
    inputs: readonly Present[],
    suspicion?: Suspicion,
  ): Steps<Attempt | undefined> {
    const { random, universe } = this.#world;
    const position = universe.positions.get(task.id) ?? -1;
    const known = universe.tasks[position];
    if (known === undefined) return undefined;
    if (this.#world.isCalm) {
      this.#world.begunInCalm.set(task.id, (this.#world.begunInCalm.get(task.id) ?? 0) + 1);
    }
    const version = universe.versions[position] ?? 0;
    const isQuick = universe.functions[known.fn]?.quick ?? false;
    this.#note(
      task.id,
      `runs it, expecting ${task.expects.toString()}, with inputs ${inputs.map((each) => each.revision).join()}`,
    );
    const ms = isQuick ? 0.2 : random.chance(0.05) ? 2 * ackWaitMs : random.between(20, 200);
    yield Math.ceil(ms);
    if (known.nature === 'poison') return yield* this.#die(held, task, suspicion);
    const values = inputs.map((each) => each.value);
    const value = valueOf(known, version, values);
    const isBadLuck = known.nature === 'flaky' && this.#world.fault(0.4);
    return { value: isBadLuck ? undefined : value, ms, inputs };
  }

  *#conclude(held: Held, task: ParcelTask, attempt: Attempt, suspicion?: Suspicion): Steps {
    const { value, ms, inputs } = attempt;
    if (value === undefined) {
      const failureRevision = suspicion?.failureRevision ?? task.failureExpects;
      const strikes = suspicion?.strikes ?? 0;
      return yield* this.#fail(held, task, { failureRevision, strikes, isFinal: false });
    }
    const read = task.inputs.map(({ id }, at) => ({ id, revision: inputs[at]?.revision ?? 0 }));
    yield* this.#store(held, task, { value, ms, inputs: read });
  }

  /** In the worker's own process it takes everything down; a suspect has one of its own. */
  *#die(held: Held, task: ParcelTask, suspicion: Suspicion | undefined): Steps<undefined> {
    if (suspicion !== undefined) {
      yield* this.#runSuspect(held, task, true);
      return;
    }
    this.#note(task.id, 'dies of it');
    this.#process.alive = false;
    yield 0;
  }

  *#store(held: Held, task: ParcelTask, result: SimulatedResult): Steps {
    const { results } = this.#world;
    let end: TaskEnd = 'accepted';
    for (let expects = task.expects; ;) {
      const outcome = yield* this.#world.send(() =>
        this.#world.isFull ? 'full' : this.#world.accept(task.id, result, expects),
      );
      this.#note(task.id, `puts its result: ${String(outcome ?? 'refused')}`);
      if (outcome === 'full') {
        yield 200;
        continue;
      }
      if (outcome !== undefined) {
        this.#inputs.remember(task.id, { revision: outcome, value: result.value });
        break;
      }
      // A refusal is a question: what stands there decides.
      const found = yield* this.#world.send(() => results.get(task.id));
      if (found !== undefined) {
        end = found.value === undefined ? 'none' : 'other';
        break;
      }
      expects = 0;
    }
    this.#settle(held, task.id, end);
  }

  *#fail(held: Held, task: ParcelTask, failure: Suspicion & { isFinal: boolean }): Steps {
    const { attempt, expects } = task;
    const { strikes } = failure;
    const isFinal = failure.isFinal || attempt > task.fn.retries;
    const dueAt = this.#world.now + this.#world.random.between(1, backoffMs);
    const kind = isFinal ? ('final' as const) : ('retry' as const);
    const record = { kind, attempt, strikes, expects, ...(isFinal ? {} : { dueAt }) };
    yield* this.#putFailure(task.id, record, failure.failureRevision);
    this.#settle(held, task.id, 'none');
  }

  *#putFailure(id: TaskId, record: SimulatedFailure, expected: number): Steps<number | undefined> {
    const { failures } = this.#world;
    for (let expects = expected; ;) {
      const revision = yield* this.#world.send(() =>
        this.#world.isFull ? 'full' : failures.put(id, record, expects),
      );
      this.#note(
        id,
        `records a ${record.kind} expecting ${expects.toString()}: ${String(revision ?? 'refused')}`,
      );
      if (revision === 'full') {
        yield 200;
        continue;
      }
      if (revision !== undefined) return revision;
      const found = yield* this.#world.send(() => failures.get(id));
      if (found?.value === record) return found.revision;
      if (found !== undefined) return undefined;
      expects = 0;
    }
  }

  *#reportMissing(
    held: Held,
    task: ParcelTask,
    missing: ReadInput & { kind: 'missing' },
    suspicion: Suspicion | undefined,
  ): Steps {
    const { results } = this.#world;
    this.#note(task.id, `misses ${missing.id}`);
    const own = yield* this.#world.ask(() => results.get(task.id));
    if (own?.value === undefined && !missing.marked) {
      const marked = yield* this.#world.send(() =>
        results.put(missing.id, undefined, missing.revision),
      );
      this.#note(missing.id, `marks it as missing: ${String(marked ?? 'refused')}`);
      if (marked === undefined) return yield* this.#runTask(held, task, suspicion);
    }
    this.#settle(held, task.id, 'none');
  }

  #settle(held: Held, id: TaskId, end: TaskEnd): void {
    held.ends.set(id, end === 'accepted' && held.rerun.has(id) ? 'other' : end);
    held.left--;
    if (held.left > 0) return;
    this.#held.delete(held);
    if (held.gone || this.#isLate(held) || this.#world.fault(this.#world.weather.lostAck)) return;
    const { now, random } = this.#world;
    const slow = this.#world.fault(0.2) ? random.between(10, 1000) : random.between(1, 10);
    this.#world.queue.ack(held.delivery, now + slow);
  }

  #handBack(held: Held, delayMs: number): void {
    this.#held.delete(held);
    const { now, queue } = this.#world;
    if (!held.gone && !this.#isLate(held)) queue.handBack(held.delivery, now + delayMs);
    held.gone = true;
  }

  /** It had no heartbeat for so long that it is another's. */
  #isLate(held: Held): boolean {
    return this.#world.now - held.aliveAt > ackWaitMs * lostShare;
  }

  #note(id: TaskId, text: string): void {
    this.#world.note?.(id, `${this.#process.name} ${text}`);
  }
}
