/** The failure records of a project, as a reign has seen them. */
import type { Entry } from '../broker/bucket.ts';
import { knownFailure } from '../broker/failures.ts';
import type { TaskIndex } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { KnownFailure } from '../core/run-progress.ts';
import type { ReignContext } from './reign-context.ts';

export class SeenFailures {
  readonly #context: ReignContext;
  readonly #failures = new Map<TaskId, KnownFailure>();

  constructor(context: ReignContext) {
    this.#context = context;
  }

  see(entry: Entry): void {
    const failure = knownFailure(this.#context.project, entry);
    if (failure === undefined) return;
    const id = entry.key as TaskId;
    const isNews = entry.revision > (this.#failures.get(id)?.revision ?? 0);
    if (isNews) this.#failures.set(id, failure);
    this.#context.tell({ kind: 'failure', id, failure });
  }

  /** Reads all records that are there now: following may be a moment behind. */
  async readAll(): Promise<void> {
    const reading = this.#context.project.failures.follow(1, (entry) => {
      this.see(entry);
    });
    await reading.caughtUp;
    reading.stop();
  }

  /** Those of tasks that a graph has, by position. */
  in(index: TaskIndex): [task: number, KnownFailure][] {
    const found: [number, KnownFailure][] = [];
    for (const [id, failure] of this.#failures) {
      const task = index.find(id);
      if (task !== -1) found.push([task, failure]);
    }
    return found;
  }
}
