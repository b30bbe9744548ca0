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
import type { Work } from './schedule.ts';
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
    const { parcel } = held;
    const known = parcel.quick ? [] : await this.#lookUp(parcel.tasks);
    for (const _ of known) this.#context.held.settle(held);
    const unfinished = parcel.tasks.filter((task) => !known.includes(task.id));
    const wanting = unfinished.filter((task) => !this.#prepareAtOnce(held, task));
    this.#ready.pump();
    if (wanting.length === 0) return;
    await Promise.all(wanting.map((task) => this.#prepareTask(held, task)));
    this.#ready.pump();
  }

  /** Prepares a delivery of a message that was delivered before and never answered. */
  async prepareSuspect(held: HeldParcel, queue: string): Promise<void> {
    const { parcel } = held;
    const known = await this.#lookUp(parcel.tasks);
    for (const id of known) {
      await dropFailure(this.#context, id);
      this.#context.held.settle(held);
    }
    const open = parcel.tasks.filter((task) => !known.includes(task.id));
    // What has failed since has no result to be known by, and would be run again.
    const failed = await concluded(this.#context, open);
    for (const _ of failed) this.#context.held.settle(held);
    const left = open.filter((task) => !failed.includes(task.id));
    const [head] = parcel.tasks;
    const tail = left.filter((task) => task !== head);
    if (!(await publishSingly(this.#context, parcel, queue, tail))) {
      handBackLater(this.#context, held);
      return;
    }
    for (const _ of tail) this.#context.held.settle(held);
    if (head !== undefined && left.includes(head)) await this.runSuspect(held, head);
  }

  /** Runs a task in a process of its own, which is on record first; again if it `died` of it. */
  async runSuspect(held: HeldParcel, task: ParcelTask, died = false): Promise<void> {
    await this.#prepareTask(held, task, {
      failureRevision: task.failureExpects,
      strikes: 0,
      died,
    });
    this.#ready.pump();
  }

  /** Which of the tasks have a result. */
  async #lookUp(tasks: readonly ParcelTask[]): Promise<TaskId[]> {
    const found = await Promise.all(
      tasks.map((task) => this.#context.project.results.readLast(task.id)),
    );
    return tasks.filter((_, at) => found[at]?.present === true).map((task) => task.id);
  }

  /** Puts the task into the schedule if all that it needs is in memory: promises would cost more than the rest. */
  #prepareAtOnce(held: HeldParcel, task: ParcelTask): boolean {
    const file = this.#code.placed(held.parcel.code);
    const { arguments: args } = task;
    if (file === undefined || !(args instanceof Uint8Array)) return false;
    if (task.inputsElsewhere !== undefined) return false;
    const inputs: Uint8Array[] = [];
    for (const each of task.inputs) {
      const bytes = this.#context.inputs.cached(each, task.expects);
      if (bytes === undefined) return false;
      inputs.push(bytes);
    }
    this.#schedule(held, task, { file, args, inputs });
    return true;
  }

  /** Gathers what the task needs and puts it into the schedule. */
  async #prepareTask(held: HeldParcel, task: ParcelTask, suspect?: Work['suspect']): Promise<void> {
    const references = await this.#referencesOf(task);
    if (references === undefined) {
      // The dispatcher misses the message and publishes the task again.
      this.#context.held.settle(held);
      return;
    }
    const read = await this.#readInputs(task, references);
    const missing = read.find((each) => each.kind === 'missing');
    if (missing !== undefined) {
      await this.#reportMissing(held, task, missing, suspect);
      return;
    }
    const inputs = read.flatMap((each) => (each.kind === 'there' ? [each.bytes] : []));
    try {
      const args = await this.#argumentsOf(task);
      const file = await this.#code.file(held.parcel.code);
      this.#schedule(held, task, { file, args, inputs }, suspect);
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
    }
  }

  #schedule(
    held: HeldParcel,
    task: ParcelTask,
    needs: {
      readonly file: string;
      readonly args: Uint8Array;
      readonly inputs: readonly Uint8Array[];
    },
    suspect?: Work['suspect'],
  ): void {
    const { file, args, inputs } = needs;
    const runnable = { id: task.id, attempt: task.attempt, arguments: args, inputs };
    this.#ready.add({ held, task, runnable, file, suspect, alone: false });
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

  async #readInputs(task: ParcelTask, references: readonly InputReference[]): Promise<Input[]> {
    const { arguments: args, expects } = task;
    // Large arguments are read later: their task gets all inputs, which costs no more than time.
    const read = references.length > 0 && args instanceof Uint8Array ? placesRead(args) : undefined;
    const all: Input[] = [];
    for (let at = 0; at < references.length; at += readAtOnce) {
      const some = references.slice(at, at + readAtOnce).map((each, i) => {
        const isRead = read === undefined || read.has(at + i);
        return isRead ? this.#context.inputs.read(each, expects) : unread;
      });
      all.push(...(await Promise.all(some)));
    }
    return all;
  }

  /**
   * A dependency is not there: a marker on its key tells the dispatcher, which has it computed again and then comes
   * back to this task.
   */
  async #reportMissing(
    held: HeldParcel,
    task: ParcelTask,
    missing: Extract<Input, { kind: 'missing' }>,
    suspect: Work['suspect'],
  ): Promise<void> {
    const { results } = this.#context.project;
    this.#context.trace({ kind: 'input-missing', task: task.id, input: missing.id });
    const own = await results.readFromLeader(task.id);
    if (own?.present !== true && !missing.marked) {
      const outcome = await results.mark(missing.id, missing.revision);
      // Refused: somebody wrote there meanwhile, so it is worth another look.
      if (outcome.kind === 'refused') {
        await this.#prepareTask(held, task, suspect);
        return;
      }
    }
    this.#context.held.settle(held);
  }

  async #argumentsOf(task: ParcelTask): Promise<Uint8Array> {
    if (task.arguments instanceof Uint8Array) return task.arguments;
    const { blob }: BlobReference = task.arguments;
    const bytes = await this.#context.project.blobs.get(blob);
    if (bytes !== undefined) return bytes;
    throw new JugqError('VALUE_CORRUPT', `the large arguments of ${task.id} are gone: plan again`);
  }
}
