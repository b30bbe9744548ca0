/** The context of an attempt, made when the task asks for it: tasks that do not cost nothing. */
import type { TaskContext } from '../core/context.ts';
import { JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { WorkerLink } from './thread-link.ts';

/** A context, to be closed when the attempt is over. */
export interface OpenContext {
  readonly context: TaskContext;
  close(): void;
}

/** Opens the context of an attempt. */
export function openContext(
  { id, attempt }: { readonly id: TaskId; readonly attempt: number },
  link: WorkerLink,
): OpenContext {
  const abort = new AbortController();
  let isOpen = true;
  link.watch(id, (reason) => {
    abort.abort(new JugqError('INTERRUPTED', `${id} is to end: ${reason}`));
  });
  return {
    context: {
      id,
      attempt,
      signal: abort.signal,
      progress(fraction, note) {
        // A timer that the task left behind may still tell, when the task runs again in this very thread.
        if (!isOpen) return;
        const said = note === undefined ? {} : { note };
        link.tellProgress({ task: id, fraction: Math.min(1, Math.max(0, fraction)), ...said });
      },
      log(...parts) {
        console.error(...parts);
      },
    },
    close() {
      isOpen = false;
      link.unwatch(id);
    },
  };
}
