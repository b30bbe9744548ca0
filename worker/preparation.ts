/**
 * Makes the tasks of a parcel ready for a thread: looks whether their results are there already, and gathers inputs,
 * arguments and code.
 */
import { placesRead } from '../core/codec.ts';
import { isJugqError, JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { BlobReference, InputReference, ParcelTask } from '../core/parcel.ts';
import type { CodeFiles } from './code-files.ts';
import type { HeldParcel } from './held-parcels.ts';
import { readInputList } from './input-lists.ts';
import type { Input } from './inputs.ts';
import { companies } from './companies.ts';
import type { ParcelEnds } from './parcel-ends.ts';
import type { Work } from './schedule.ts';
import type { BatchTask } from './task-protocol.ts';
import { isWrongRevision, toJugqError } from '../broker/nats-errors.ts';
import { tellTakenApart } from '../broker/taken-apart.ts';
import { dropFailure } from './store-outcome.ts';
import { concluded, publishSingly } from './suspects.ts';
import { failTask, handBackLater, type WorkerContext } from './worker-context.ts';

/**
 * An input that the task only waits for. That it was finished is enough: if it is invalidated since, so is the task, and
 * what it gives is refused.
 */
const unread = Promise.resolve<Input>({ kind: 'there', bytes: new Uint8Array() });

/** More questions at once would wait in the link for so long that their time runs out. */
const readAtOnce = 1024;

type MissingInput = Extract<Input, { kind: 'missing' }>;

/** How a task is to be run. */
interface Manner {
  readonly suspect?: Work['suspect'];
  /** What comes from tasks that go to the same thread; absent: all that can. */
  readonly followed?: readonly TaskId[];
}

/** How some tasks of a parcel stand by now. */
interface Standings {
  /** They have a result. */
  readonly known: readonly TaskId[];
  /** They were marked after their parcel was published: what they give would be refused. */
  readonly overtaken: readonly TaskId[];
}

/** Where work goes that is ready for a thread. */
export interface Ready {
  add(work: Work): void;
  /** Nothing more is added in this turn: threads may begin. */
  pump(): void;
}

export class Preparation {
  readonly #context: WorkerContext;
  readonly #code: CodeFiles;
  readonly #ready: Ready;

  constructor(context: WorkerContext, code: CodeFiles, ready: Ready) {
    this.#context = context;
    this.#code = code;
    this.#ready = ready;
  }

  /** Prepares a first delivery. */
  async prepare(held: HeldParcel): Promise<void> {
    const { quick, tasks } = held.parcel;
    const unfinished = quick ? tasks : this.#settleKnown(held, await this.#lookUp(tasks));
    if (held.ends !== undefined) {
      await this.#prepareTogether(held, held.ends, unfinished);
      return;
    }
    const wanting = unfinished.filter((task) => {
      const work = this.#workAtOnce(held, task);
      if (work !== undefined) this.#ready.add(work);
      return work === undefined;
    });
    this.#ready.pump();
    if (wanting.length === 0) return;
    await Promise.all(wanting.map((task) => this.prepareTask(held, task)));
    this.#ready.pump();
  }

  /** Prepares tasks of which some take what others give: these go to a thread together. */
  async #prepareTogether(
    held: HeldParcel,
    ends: ParcelEnds,
    tasks: readonly ParcelTask[],
  ): Promise<void> {
    const works = await Promise.all(
      tasks.map(async (task) => this.#workAtOnce(held, task) ?? (await this.#work(held, task))),
    );
    for (const work of companies(
      works.flatMap((each) => each ?? []),
      ends,
    ))
      this.#ready.add(work);
    this.#ready.pump();
  }

  /** Prepares a delivery of a message that was delivered before and never answered. */
  async prepareSuspect(held: HeldParcel, queue: string): Promise<void> {
    const { parcel } = held;
    const standings = await this.#lookUp(parcel.tasks);
    const { known } = standings;
    for (const id of known) await dropFailure(this.#context, id);
    const open = this.#settleKnown(held, standings);
    // What has failed since has no result to be known by, and would be run again.
    const failed = await concluded(this.#context, open);
    for (const id of failed) this.#context.held.settle(held, id, 'none');
    // Recalled meanwhile: whoever did that knows that nothing of it has begun.
    if (held.gone) return;
    const left = open.filter((task) => !failed.includes(task.id));
    const [head] = parcel.tasks;
    const tail = left.filter((task) => task !== head);
    const isRipe = (task: ParcelTask): boolean =>
      held.ends?.followedBy(task).every((id) => known.includes(id)) ?? true;
    if (!(await publishSingly(this.#context, parcel, queue, tail.filter(isRipe)))) {
      handBackLater(this.#context, held);
      return;
    }
    // Those that wait for others are left out: the dispatcher publishes them when they can run.
    for (const task of tail) this.#context.held.settle(held, task.id, 'none');
    if (head !== undefined && !tail.every(isRipe)) {
      const { connection, names } = this.#context.project;
      tellTakenApart(connection, names, { head: head.id, queue });
    }
    if (head !== undefined && left.includes(head)) await this.runSuspect(held, head);
  }

  /** Runs a task in a process of its own, which is on record first; again if it `died` of it. */
  async runSuspect(held: HeldParcel, task: ParcelTask, died = false): Promise<void> {
    const suspect = { failureRevision: task.failureExpects, strikes: 0, died };
    await this.prepareTask(held, task, suspect);
    this.#ready.pump();
  }

  /** Settles the tasks that are not to be run, and gives the others. */
  #settleKnown(held: HeldParcel, { known, overtaken }: Standings): ParcelTask[] {
    for (const id of known) this.#context.held.settle(held, id, 'other');
    // The dispatcher hears of the marker as well, and publishes them with its revision.
    for (const id of overtaken) this.#context.held.settle(held, id, 'none');
    return held.parcel.tasks.filter(({ id }) => !known.includes(id) && !overtaken.includes(id));
  }

  async #lookUp(tasks: readonly ParcelTask[]): Promise<Standings> {
    const found = await Promise.all(
      tasks.map((task) => this.#context.project.results.readLast(task.id)),
    );
    const known = tasks.filter((_, at) => found[at]?.present === true);
    const overtaken = tasks.filter(({ expects }, at) => {
      const last = found[at];
      return last?.present === false && last.revision !== expects;
    });
    return { known: known.map((task) => task.id), overtaken: overtaken.map((task) => task.id) };
  }

  /** The work of a task if all that it needs is in memory: promises would cost more than the rest. */
  #workAtOnce(held: HeldParcel, task: ParcelTask): Work | undefined {
    const file = this.#code.placed(held.parcel.code);
    const { arguments: args } = task;
    if (file === undefined || !(args instanceof Uint8Array)) return undefined;
    if (task.inputsElsewhere !== undefined) return undefined;
    const followed = held.ends?.followedBy(task) ?? [];
    const inputs: (Uint8Array | TaskId)[] = [];
    for (const each of task.inputs) {
      const bytes = followed.includes(each.id)
        ? each.id
        : this.#context.inputs.cached(each, task.expects);
      if (bytes === undefined) return undefined;
      inputs.push(bytes);
    }
    return workOf(held, task, { file, args, inputs });
  }

  /** Gathers what the task needs and puts it into the schedule: by itself, even if it is a follower. */
  async prepareTask(held: HeldParcel, task: ParcelTask, suspect?: Work['suspect']): Promise<void> {
    const work = await this.#work(held, task, { suspect, followed: [] });
    if (work !== undefined) this.#ready.add(work);
  }

  /**
   * Gathers what the task needs.
   *
   * @returns undefined if something is not there: the task is settled then
   */
  async #work(held: HeldParcel, task: ParcelTask, how: Manner = {}): Promise<Work | undefined> {
    const { suspect, followed = held.ends?.followedBy(task) ?? [] } = how;
    const references = await this.#referencesOf(task);
    if (references === undefined) {
      // The dispatcher misses the message and publishes the task again.
      this.#context.held.settle(held, task.id, 'none');
      return undefined;
    }
    const inputs = await this.#readInputs(task, references, followed);
    if (!Array.isArray(inputs)) return this.#missing(held, task, inputs, how);
    try {
      const args = await this.#argumentsOf(task);
      const file = await this.#code.file(held.parcel.code);
      return workOf(held, task, { file, args, inputs }, suspect);
    } catch (error) {
      if (!isJugqError(error, 'VALUE_CORRUPT')) throw error;
      // What the planner stored for it is gone, and no retry brings it back.
      const { code: name, message } = error;
      const failure = { error: { name, message, stack: '' }, output: '', final: true };
      const failureRevision = suspect?.failureRevision ?? task.failureExpects;
      await failTask(this.#context, held, task, {
        ...failure,
        failureRevision,
        strikes: suspect?.strikes ?? 0,
      });
      return undefined;
    }
  }

  /** What the task takes; undefined: the list has gone. */
  #referencesOf({
    inputs,
    inputsElsewhere,
  }: ParcelTask): Promise<readonly InputReference[] | undefined> {
    return inputsElsewhere === undefined
      ? Promise.resolve(inputs)
      : readInputList(this.#context.project.blobs, inputsElsewhere);
  }

  /** The bytes of all inputs, of those that are `followed` the id; or the first that is missing. */
  async #readInputs(
    task: ParcelTask,
    references: readonly InputReference[],
    followed: readonly TaskId[],
  ): Promise<(Uint8Array | TaskId)[] | MissingInput> {
    const { arguments: args, expects } = task;
    // Large arguments are read later: their task gets all inputs, which costs no more than time.
    const read = references.length > 0 && args instanceof Uint8Array ? placesRead(args) : undefined;
    const all: (Uint8Array | TaskId)[] = [];
    for (let at = 0; at < references.length; at += readAtOnce) {
      const some = references.slice(at, at + readAtOnce).map((each, i) => {
        if (followed.includes(each.id)) return Promise.resolve(each.id);
        const isRead = read === undefined || read.has(at + i);
        return isRead ? this.#context.inputs.read(each, expects) : unread;
      });
      for (const each of await Promise.all(some)) {
        if (typeof each === 'string') all.push(each);
        else if (each.kind === 'there') all.push(each.bytes);
        else return each;
      }
    }
    return all;
  }

  /**
   * A dependency is not there: a marker on its key tells the dispatcher, which has it computed again and then comes
   * back to this task.
   */
  async #missing(
    held: HeldParcel,
    task: ParcelTask,
    missing: MissingInput,
    how: Manner,
  ): Promise<Work | undefined> {
    const { results } = this.#context.project;
    this.#context.trace({ kind: 'input-missing', task: task.id, input: missing.id });
    const own = await results.readFromLeader(task.id);
    if (own?.present !== true && !missing.marked) {
      const outcome = await results.mark(missing.id, missing.revision);
      if (held.gone) return undefined;
      // Somebody wrote there meanwhile, so it is worth another look.
      if (isWrongRevision(outcome)) return this.#work(held, task, how);
      if (outcome.kind === 'refused')
        throw toJugqError(outcome, `asking for the missing result of ${missing.id}`);
    }
    this.#context.held.settle(held, task.id, 'none');
    return undefined;
  }

  async #argumentsOf(task: ParcelTask): Promise<Uint8Array> {
    if (task.arguments instanceof Uint8Array) return task.arguments;
    const { blob }: BlobReference = task.arguments;
    const bytes = await this.#context.project.blobs.get(blob);
    if (bytes !== undefined) return bytes;
    throw new JugqError('VALUE_CORRUPT', `the large arguments of ${task.id} are gone: plan again`);
  }
}

function workOf(
  held: HeldParcel,
  task: ParcelTask,
  needs: Pick<Work, 'file'> & {
    readonly args: Uint8Array;
    readonly inputs: BatchTask['inputs'];
  },
  suspect?: Work['suspect'],
): Work {
  const { file, args, inputs } = needs;
  const runnable = { id: task.id, attempt: task.attempt, arguments: args, inputs };
  return { held, task, runnable, file, companions: [], suspect, alone: false };
}
