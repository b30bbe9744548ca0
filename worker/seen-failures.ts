/** The failure records of a project, as a reign has seen them. */
import type { Entry } from '../broker/bucket.ts';
import { knownFailure } from '../broker/failures.ts';
import { TaskIndex, type Graph } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { KnownFailure } from '../core/run-progress.ts';
import type { ReignContext } from './reign-context.ts';

export class SeenFailures {
  readonly #context: ReignContext;
  readonly #failures = new Map<TaskId, KnownFailure>();
  #revision = 0;

  constructor(context: ReignContext) {
    this.#context = context;
  }

  /** Of the last entry that was seen. */
  get revision(): number {
    return this.#revision;
  }

  see(entry: Entry): void {
    this.#revision = Math.max(this.#revision, entry.revision);
    const failure = knownFailure(this.#context.project, entry);
    if (failure === undefined) return;
    const id = entry.key as TaskId;
    const isNews = entry.revision > (this.#failures.get(id)?.revision ?? 0);
    if (isNews) this.#failures.set(id, failure);
    this.#context.tell({ kind: 'failure', id, failure });
  }

  /** Tells once more what came after a revision: a run that was being loaded then has not heard it. */
  tellSince(revision: number): void {
    for (const [id, failure] of this.#failures) {
      if (failure.revision > revision) this.#context.tell({ kind: 'failure', id, failure });
    }
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
  in(graph: Graph): [task: number, KnownFailure][] {
    // An index of a million tasks takes a while to make.
    if (this.#failures.size === 0) return [];
    const index = new TaskIndex(graph);
    const found: [number, KnownFailure][] = [];
    for (const [id, failure] of this.#failures) {
      const task = index.find(id);
      if (task !== -1) found.push([task, failure]);
    }
    return found;
  }
}
