/**
 * One attempt at a task: the call of the user's function, and all that may end it besides what the call returns.
 *
 * What user code starts and does not wait for may fail later, in a timer, when the thread is busy with another task. The
 * asynchronous context says whose it is.
 */
import type { TaskId } from '../core/identifiers.ts';
import type { TaskContext } from '../core/context.ts';
import { formatUserError } from '../core/stack.ts';
import { currentAttempt } from '../core/task.ts';
import { openContext, type OpenContext } from './task-context.ts';
import type { RunnableTask } from './task-protocol.ts';
import type { WorkerLink } from './thread-link.ts';
import { tell, type OutputTail } from './user-output.ts';

/** The asynchronous context of what it runs holds it. */
export class Attempt {
  readonly taskId: TaskId;
  /** On the monotonic clock. */
  readonly begunAt = performance.now();
  /** The last that it printed. */
  readonly tail: OutputTail = { text: '' };
  readonly #task: RunnableTask;
  readonly #link: WorkerLink;
  #opened: OpenContext | undefined;
  #failure: { readonly error: unknown } | undefined;
  #reject: ((error: unknown) => void) | undefined;
  #isOver = false;

  constructor(task: RunnableTask, link: WorkerLink) {
    this.taskId = task.id;
    this.#task = task;
    this.#link = link;
  }

  /** Its end is known: what still comes of it counts no more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Calls the user's function.
   *
   * @returns what it gave; if that can be awaited, a promise that ends as it does, or at once with `fail`
   * @throws what it throws
   */
  call(run: () => unknown): unknown {
    let given: unknown;
    let waits = false;
    try {
      given = currentAttempt.run(this, run);
      waits = isThenable(given);
    } catch (error) {
      this.fail(error);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
    if (waits) return currentAttempt.run(this, () => this.#settled(given));
    this.#end();
    return given;
  }

  /** What the task may ask of its worker; opened when it is first wanted. */
  context(): TaskContext {
    if (this.#opened === undefined) {
      this.#opened = openContext(this.#task, this.#link);
      // A timer that the task left behind asks for the first time: nobody would take its leave.
      if (this.#isOver) this.#opened.close();
    }
    return this.#opened.context;
  }

  /** Ends it from outside of the call; does nothing once it is over. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#failure = { error };
    this.#end();
    this.#reject?.(error);
  }

  #settled(given: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#reject = reject;
      void this.#await(given, resolve);
    });
  }

  /** `await`, not `then`: the task may have replaced that. */
  async #await(given: unknown, resolve: (value: unknown) => void): Promise<void> {
    try {
      const value = await given;
      this.#end();
      resolve(value);
    } catch (error) {
      this.fail(error);
    }
  }

  #end(): void {
    this.#isOver = true;
    this.#opened?.close();
  }
}

/** The attempt that the code belongs to which runs now. */
export function attemptNow(): Attempt | undefined {
  const store = currentAttempt.getStore();
  return store instanceof Attempt ? store : undefined;
}

/** Errors that nobody catches, and calls of `process.exit`, end the attempt that they come from, and not the thread. */
export function blameAttempts(): void {
  listen();
  process.exit = exitCalled;
}

/** Listens again if a task has taken the listeners away. */
export function keepBlaming(): void {
  if (process.listenerCount('uncaughtException') > 0) return;
  process.removeAllListeners('unhandledRejection');
  listen();
}

function listen(): void {
  process.on('uncaughtException', blame);
  process.on('unhandledRejection', blame);
}

/** Others may run in the thread by then. */
function exitCalled(code?: number | string | null): never {
  const error = new ExitCalled(code ?? process.exitCode ?? 0);
  blame(error);
  throw error;
}

class ExitCalled extends Error {
  override readonly name = 'Exit';

  constructor(code: number | string) {
    super(`it called process.exit(${String(code)})`);
  }
}

/** Calls of `process.exit` also arrive as errors that nobody caught. */
const told = new WeakSet<ExitCalled>();

/** An error that nobody caught: its task's failure if that still runs, else only told. */
function blame(error: unknown): void {
  const attempt = attemptNow();
  if (error instanceof ExitCalled && told.has(error)) return;
  if (error instanceof ExitCalled) told.add(error);
  if (attempt !== undefined && !attempt.isOver) {
    attempt.fail(error);
    return;
  }
  const mark = attempt === undefined ? 'task' : `${shortId(attempt.taskId)}, after it had ended`;
  tell(formatUserError(error), mark);
}

function isThenable(value: unknown): boolean {
  if (typeof value !== 'function' && (typeof value !== 'object' || value === null)) return false;
  return typeof (value as { readonly then?: unknown }).then === 'function';
}

/** Enough of an id to be told from its neighbours by a reader. */
export function shortId(id: TaskId): string {
  const dot = id.lastIndexOf('.');
  return id.slice(0, dot + 9);
}
