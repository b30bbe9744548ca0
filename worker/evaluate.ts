/**
 * Evaluates a jugfile's bundle in a fresh thread of its own, as far as the results go that are there.
 *
 * Where the jugfile waits for a value that is missing, the evaluation is parked: the thread stays as it is, and goes on
 * from there when the value has come.
 */
import { getHeapStatistics } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { builtFile } from '../core/built-file.ts';
import { JugqError } from '../core/errors.ts';
import type { Graph } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { PlanWait } from '../core/plan-format.ts';
import type {
  Declarations,
  EncodedExport,
  EvaluateAnswer,
  EvaluateReply,
  EvaluateRequest,
} from './evaluate-protocol.ts';
import type { ResultReader } from './thread-link.ts';

export type { EncodedExport } from './evaluate-protocol.ts';

/** How far an evaluation has come. */
export type EvaluationStep =
  | (Declarations & { readonly kind: 'parked'; readonly waits: readonly PlanWait[] })
  | (Declarations & {
      readonly kind: 'evaluated';
      readonly exports: ReadonlyMap<string, EncodedExport>;
    });

/** Where an evaluation learns what is there, and keeps what the jugfile computes itself. */
export interface ResultStore extends ResultReader {
  /** Workers may be where the files of the jugfile are not. */
  readonly shipsFiles: boolean;
  /** Which of these have a result. */
  present(ids: readonly TaskId[]): Promise<boolean[]>;
  /** By position, for each task of a graph: whether it has a result. */
  presentIn(graph: Graph): Promise<(position: number) => boolean>;
  /**
   * What an item took, ms: in the results of a stage, which are lists, or else in those of the item's own function.
   */
  msEach(functions: readonly [stage: string, item: string]): Promise<number | undefined>;
  /** Keeps a value unless there is one, and gives the one that stands. */
  keep(id: TaskId, bytes: Uint8Array): Promise<Uint8Array>;
}

export interface EvaluateOptions {
  /** The jugfile as the user named it. */
  readonly jugfile: string;
  readonly file: string;
  readonly directory: string;
  readonly args: readonly string[];
  /** Called every second with the count of tasks declared so far: a long evaluation is seen to be alive. */
  readonly onProgress: (tasks: number) => void;
  readonly store: ResultStore;
  readonly signal?: AbortSignal;
}

const progressEveryMs = 1000;
/** Node's own exit status for a top-level await that nothing can settle any more. */
const unsettledAwait = 13;

/** One evaluation; to be closed. */
export class Evaluation {
  readonly #options: EvaluateOptions;
  readonly #thread: Worker;
  readonly #timer: NodeJS.Timeout;
  readonly #abort: () => void;
  /**
   * Resolves when the evaluation has come to its end, well or not: `advance` tells how. A jugfile may come there while it
   * is parked, since its own timers and sockets go on.
   */
  readonly ended: Promise<void>;
  /** The last step, or an error; kept until somebody advances. */
  readonly #end: Promise<EvaluationStep>;
  #finish: (last: EvaluationStep) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  #park: (step: EvaluationStep) => void = () => undefined;
  #parked: (EvaluationStep & { kind: 'parked' }) | undefined;

  constructor(options: EvaluateOptions) {
    this.#options = options;
    const { file, directory, args, signal, store } = options;
    const progress = new SharedArrayBuffer(4);
    const { shipsFiles } = store;
    const request: EvaluateRequest = { file, directory, args, shipsFiles, progress };
    this.#thread = new Worker(builtFile('worker/evaluate-thread.js'), { workerData: request });
    this.#timer = setInterval(() => {
      if (this.#parked === undefined) options.onProgress(new Int32Array(progress)[0] ?? 0);
    }, progressEveryMs);
    this.#abort = () => void this.#thread.terminate();
    signal?.addEventListener('abort', this.#abort, { once: true });
    this.#end = new Promise((resolve, reject) => {
      this.#finish = resolve;
      this.#fail = reject;
    });
    const over = (): void => undefined;
    this.ended = this.#end.then(over, over);
    this.#thread.once('error', (error) => {
      this.#fail(this.#died(error));
    });
    this.#thread.once('exit', (status) => {
      this.#fail(this.#exited(status));
    });
    this.#thread.on('message', (reply: EvaluateReply) => void this.#hear(reply));
  }

  /**
   * Goes on until the jugfile is evaluated, or waits for what is not there.
   *
   * @throws JugqError `JUGFILE_THREW` for an error of the user's code, with its stack, and if it needs more memory than
   *   there is; the codes of `task()` calls; `INTERRUPTED`
   */
  async advance(): Promise<EvaluationStep> {
    let step = await this.#next(await this.#met());
    while (step.kind === 'parked') {
      this.#parked = step;
      const met = await this.#met();
      if (met.length === 0) return step;
      step = await this.#next(met);
    }
    return step;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    await this.#thread.terminate();
  }

  async #next(met: readonly number[]): Promise<EvaluationStep> {
    const parked = new Promise<EvaluationStep>((resolve) => {
      this.#park = resolve;
    });
    if (this.#parked !== undefined) {
      this.#parked = undefined;
      this.#answer({ kind: 'resume', met });
    }
    return Promise.race([this.#end, parked]);
  }

  /** Which of the waits have come to their end; none counts any more when the evaluation has. */
  async #met(): Promise<number[]> {
    if (this.#parked === undefined) return [];
    const { graph, waits } = this.#parked;
    const none = this.#end.then(() => []);
    return Promise.race([none, metWaits(this.#options.store, graph, waits)]);
  }

  async #hear(reply: EvaluateReply): Promise<void> {
    const { store, jugfile } = this.#options;
    try {
      switch (reply.kind) {
        case 'read': {
          const values = await store.read(reply.ids);
          this.#answer({ kind: 'values', question: reply.question, values });
          break;
        }
        case 'look': {
          const present = await store.present(reply.ids);
          this.#answer({ kind: 'presence', question: reply.question, present });
          break;
        }
        case 'took': {
          const msEach = await store.msEach(reply.functions);
          this.#answer({ kind: 'took', question: reply.question, msEach });
          break;
        }
        case 'keep': {
          const value = await store.keep(reply.id, reply.bytes);
          this.#answer({ kind: 'values', question: reply.question, values: [value] });
          break;
        }
        case 'failed':
          throw new JugqError(reply.code, `planning ${jugfile}: ${reply.message}`);
        case 'evaluated':
          clearInterval(this.#timer);
          this.#finish(reply);
          break;
        case 'parked':
          this.#park(reply);
      }
    } catch (error) {
      // Also of a question: without its answer the jugfile would wait for ever.
      this.#fail(error);
    }
  }

  #answer(answer: EvaluateAnswer): void {
    this.#thread.postMessage(answer);
  }

  /** A thread that ends so takes nothing with it, as long as somebody hears of it. */
  #died(error: Error): JugqError {
    const isMemory = (error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY';
    // All threads of a process have the same limit.
    const limitMb = Math.round(getHeapStatistics().heap_size_limit / 2 ** 20);
    const what = isMemory
      ? `it ran out of memory, of which it had ${limitMb.toString()} MB: let it declare fewer tasks at once, give it more with NODE_OPTIONS=--max-old-space-size=<MB>, or plan on a machine with more memory`
      : `its thread ended with ${error.message}: mend what threw it`;
    return new JugqError('JUGFILE_THREW', `planning ${this.#options.jugfile}: ${what}`, {
      cause: error,
    });
  }

  #exited(status: number): JugqError {
    const { jugfile, signal } = this.#options;
    if (signal?.aborted === true)
      return new JugqError('INTERRUPTED', `planning ${jugfile} was interrupted`);
    const what =
      status === 0 || status === unsettledAwait
        ? 'it waits for something that never comes (a top-level await), or called process.exit(0)'
        : `it ended its process with status ${String(status)}`;
    return new JugqError(
      'JUGFILE_THREW',
      `planning ${jugfile}: ${what}: let the jugfile run to its end`,
    );
  }
}

/** The places of those waits of which all tasks are finished. */
export async function metWaits(
  store: ResultStore,
  graph: Graph,
  waits: readonly PlanWait[],
): Promise<number[]> {
  if (waits.length === 0) return [];
  const isPresent = await store.presentIn(graph);
  return waits.flatMap(({ tasks }, at) => {
    const all = typeof tasks === 'number' ? Array.from({ length: tasks }, (_, i) => i) : tasks;
    return all.every(isPresent) ? [at] : [];
  });
}
