/** Does what the dispatcher has decided, and tells it what came of it. */
import { knownFailure } from '../broker/failures.ts';
import { newsOf } from '../broker/results.ts';
import { parcelTask, type Instruction, type MessagePlace } from '../core/dispatch.ts';
import { functionOf, idOf, row } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import { isJugqError } from '../core/errors.ts';
import { encodeParcel, type PackedTask } from '../core/parcel.ts';
import { whyStopped } from '../core/run-outlook.ts';
import type { RunProgress } from '../core/run-progress.ts';
import type { ActiveRuns } from './active-runs.ts';
import { hasManyInputs, InputLists } from './input-lists.ts';
import { readMessages } from './queue-messages.ts';
import { resultEvent, type ReignContext } from './reign-context.ts';
import type { SeenFailures } from './seen-failures.ts';
import { dropResults, type Drop } from './drop-results.ts';
import { withdrawAll, type Withdrawal } from './withdraw.ts';

const verifyAtOnce = 256;

export class Performer {
  readonly #context: ReignContext;
  readonly #runs: ActiveRuns;
  readonly #failures: SeenFailures;
  readonly #inputLists: InputLists;
  #publishing = 0;
  readonly #withdrawals = new Set<Promise<void>>();
  readonly #drops = new Set<Promise<void>>();

  constructor(
    context: ReignContext,
    parts: { readonly runs: ActiveRuns; readonly failures: SeenFailures },
  ) {
    this.#context = context;
    this.#runs = parts.runs;
    this.#failures = parts.failures;
    this.#inputLists = new InputLists(context.project.blobs);
  }

  /** Whether messages are on their way to the queue. */
  get isPublishing(): boolean {
    return this.#publishing > 0;
  }

  /** Whether messages are being taken back: until then, somebody may still begin with them. */
  get isWithdrawing(): boolean {
    return this.#withdrawals.size > 0;
  }

  /** Performs all that was decided in one turn. */
  perform(instructions: readonly Instruction[]): void {
    for (const instruction of instructions) this.#perform(instruction);
    const withdrawals = instructions.filter((each) => each.kind === 'withdraw');
    if (withdrawals.length > 0) this.#own(this.#withdrawals, this.#withdraw(withdrawals));
    const drops = instructions.filter((each) => each.kind === 'drop');
    if (drops.length > 0) this.#own(this.#drops, this.#drop(drops));
  }

  /**
   * Resolves when what was ordered has been dropped and withdrawn: of the drops nobody else knows, and what is still
   * queued of a cancelled run, the next worker would execute.
   */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#drops, ...this.#withdrawals]);
  }

  #own(doings: Set<Promise<void>>, doing: Promise<void>): void {
    const owned = doing.finally(() => doings.delete(owned));
    doings.add(owned);
    this.#context.guard(owned);
  }

  #drop(drops: readonly Drop[]): Promise<void> {
    return dropResults(this.#context.project, drops, () => this.#context.isOver());
  }

  #perform(instruction: Instruction): void {
    switch (instruction.kind) {
      case 'publish':
        this.#publish(instruction);
        return;
      case 'clear-failure':
        this.#context.guard(
          this.#context.project.failures.delete(instruction.id, instruction.revision),
        );
        return;
      case 'go-on':
        setImmediate(() => {
          this.#context.tell({ kind: 'tick' });
        });
        return;
      case 'drop':
      case 'withdraw':
        // All of a turn at once, see `perform`.
        return;
      case 'inspect':
        this.#context.guard(this.#inspect(instruction.messages));
        return;
      case 'verify':
        this.#context.guard(this.#verify(instruction.tasks, instruction.readAt));
        return;
      case 'complete':
        this.#complete(instruction);
        return;
      case 'plan-on':
        this.#planOn(instruction.run);
        return;
    }
  }

  #publish(instruction: Instruction & { kind: 'publish' }): void {
    const tasks = instruction.tasks.map((task) => parcelTask(instruction.run, task));
    const [only] = tasks;
    if (tasks.length === 1 && only !== undefined && hasManyInputs(only))
      this.#context.guard(this.#publishSpilled(instruction, only));
    else this.#send(instruction, tasks);
  }

  /** The list of its inputs is stored first. */
  async #publishSpilled(
    instruction: Instruction & { kind: 'publish' },
    task: PackedTask,
  ): Promise<void> {
    const { entries } = this.#context.state.ledger;
    const entry = entries.get(instruction.head);
    this.#publishing++;
    try {
      const inputsElsewhere = await this.#inputLists.store(task.inputs);
      // Meanwhile it may have been decided anew.
      if (this.#context.isOver() || entries.get(instruction.head) !== entry) return;
      this.#send(instruction, [{ ...task, inputs: [], inputsElsewhere }]);
    } catch (error) {
      if (!isJugqError(error, 'SERVER_FULL')) throw error;
      this.#refuse(instruction, error.message);
    } finally {
      this.#publishing--;
    }
  }

  #send(instruction: Instruction & { kind: 'publish' }, tasks: readonly PackedTask[]): void {
    const { run, head } = instruction;
    const { graph, code } = run.plan;
    const { queue } = functionOf(graph, instruction.tasks[0] ?? 0);
    const payload = encodeParcel(
      {
        run: run.id,
        code,
        quick: instruction.quick,
        failFast: run.failFast,
        taken: instruction.tasks.some((task) => row(run.dependents, task).length > 0),
      },
      tasks,
    );
    this.#publishing++;
    this.#context.project.queue.publish({ head, queue, payload }, (outcome, why) => {
      this.#publishing--;
      const book = this.#runs.book(run.id);
      if (outcome === 'accepted' && book !== undefined) book.published += instruction.tasks.length;
      if (outcome === 'full')
        this.#refuse(instruction, why.kind === 'refused' ? why.description : '');
      else if (book !== undefined) book.note = undefined;
      if (outcome === 'occupied' && !this.#context.isOver()) {
        this.#context.guard(this.#inspect([{ head, queue }]));
        this.#context.sweepSoon();
      }
    });
  }

  #refuse(instruction: Instruction & { kind: 'publish' }, reason: string): void {
    const { run, tasks } = instruction;
    const book = this.#runs.book(run.id);
    if (book !== undefined) book.note = `the server does not take more tasks: ${reason}`;
    this.#context.trace({
      kind: 'trouble',
      reason: `the server does not take more tasks: ${reason}`,
    });
    this.#context.tell({ kind: 'refused', tasks: tasks.map((task) => idOf(run.plan.graph, task)) });
  }

  async #withdraw(withdrawals: readonly Withdrawal[]): Promise<void> {
    for (const { head, queue } of await withdrawAll(this.#context.project, withdrawals)) {
      this.#context.tell({ kind: 'withdrawn', head, queue });
    }
  }

  async #inspect(places: readonly MessagePlace[]): Promise<void> {
    for (const event of await readMessages(this.#context.project, places))
      this.#context.tell(event);
  }

  async #verify(tasks: readonly TaskId[], readAt: number): Promise<void> {
    const absent: TaskId[] = [];
    const check = async (id: TaskId): Promise<void> => {
      const [result, failure] = await Promise.all([
        this.#context.project.results.readFromLeader(id),
        this.#context.project.failures.get(id),
      ]);
      if (result !== undefined) this.#context.tell(resultEvent(newsOf(result)));
      if (failure !== undefined) this.#failures.see(failure);
      const kind = failure && knownFailure(this.#context.project, failure)?.kind;
      const failed = kind === 'retry' || kind === 'final';
      if (result?.present !== true && !failed) absent.push(id);
    };
    for (let at = 0; at < tasks.length; at += verifyAtOnce) {
      await Promise.all(tasks.slice(at, at + verifyAtOnce).map(check));
    }
    if (absent.length > 0) this.#context.trace({ kind: 'reconciled', absent: absent.length });
    this.#context.tell({ kind: 'absent', tasks: absent, readAt });
  }

  #planOn(run: RunProgress): void {
    const book = this.#runs.book(run.id);
    if (book === undefined) return;
    book.wake();
    this.#context.writeRecords();
    this.#context.trace({ kind: 'run-awake', run: run.id, step: book.step });
  }

  #complete({ run, outcome }: Instruction & { kind: 'complete' }): void {
    const book = this.#runs.book(run.id);
    const why = whyStopped(run, outcome);
    if (book !== undefined && why !== undefined) book.note = why;
    book?.end(outcome);
    this.#context.trace({ kind: 'run-over', run: run.id, state: outcome });
    this.#context.writeRecords();
  }
}
