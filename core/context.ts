/** What a task may know of its own execution. */
import { JugqError } from './errors.ts';
import { currentAttempt } from './task.ts';

export interface TaskContext {
  /** Id of the task. */
  readonly id: string;
  /** 1 for the first try. */
  readonly attempt: number;
  /**
   * Aborted when the task is to end: it is cancelled, has passed its timeout, or its worker ends. What does not end
   * within two seconds is ended with its thread.
   */
  readonly signal: AbortSignal;
  /**
   * Tells how far the task has come, for `jugq status` and the progress display.
   *
   * @param fraction - from 0 to 1
   */
  progress(fraction: number, note?: string): void;
  /** Prints to the worker's stderr, marked with the task; its tail is kept if the task fails. */
  log(...parts: unknown[]): void;
}

/**
 * The context of the task that runs here.
 *
 * @throws JugqError `TASK_OUTSIDE_PLAN` outside of a running task
 */
export function context(): TaskContext {
  const attempt = currentAttempt.getStore();
  if (attempt !== undefined) return attempt.context();
  throw new JugqError(
    'TASK_OUTSIDE_PLAN',
    'context() was called outside of a running task: call it inside the task function',
  );
}
