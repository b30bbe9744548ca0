/** The threads of a worker that run tasks. */
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { builtFile } from '../core/built-file.ts';
import type { TaskId } from '../core/identifiers.ts';
import { Piscina } from 'piscina';
import { acceptLink, type LinkHost } from './thread-link.ts';
import { unpackOutcomes, type Batch, type Outcome } from './task-protocol.ts';

/** A batch that ended without outcomes, because its thread or process did. */
export class RunnerDied extends Error {
  /**
   * `killed`: a whole process ended by a signal; `aborted`: we end all; `recalled`: its work is not wanted any more;
   * `unstarted`: there is no process for it, and nothing of it has begun.
   */
  readonly kind: 'timeout' | 'memory' | 'exit' | 'killed' | 'aborted' | 'recalled' | 'unstarted';

  constructor(kind: RunnerDied['kind'], message: string) {
    super(message);
    this.name = 'RunnerDied';
    this.kind = kind;
  }
}

/** What ends a batch before its time, or lets it begin. */
export interface BatchEnds {
  readonly tasks: readonly TaskId[];
  readonly timeoutMs: number | undefined;
  /** Aborted when nobody wants the tasks any more. */
  readonly recalled: AbortSignal;
  /**
   * Asked by what runs batches in processes when there is one, and before anything of the batch begins in it.
   *
   * @returns false if the batch is not to be run after all: it has no outcomes then
   */
  readonly begin?: () => Promise<boolean>;
}

/** Something that runs batches. */
export interface Runner {
  /** @throws RunnerDied */
  run(batch: Batch, ends: BatchEnds): Promise<Outcome[]>;
  /** Ends whatever runs. */
  close(): Promise<void>;
}

/**
 * A thread with a pool of its own, so that it is known what shares it.
 *
 * @param host - answers what user code asks, and tells it when to end
 */
export function taskThread(host: LinkHost): Runner {
  const pool = new Piscina({
    filename: fileURLToPath(builtFile('worker/task-thread.js')),
    name: 'runBatch',
    minThreads: 1,
    maxThreads: 1,
    concurrentTasksPerWorker: batchesAtOnce,
    // With 'sync' a thread sleeps between batches without its event loop: timers that a task left behind would freeze.
    atomics: 'disabled',
  });
  pool.on('message', (offer: unknown) => {
    acceptLink(offer, host);
  });
  let closing = false;
  // Deaths of threads reach whoever waits for the batch.
  pool.on('error', () => undefined);
  return {
    run: (batch, ends) =>
      host.during(ends.tasks, () =>
        runIn(pool, batch, { ...ends, host, isClosing: () => closing }),
      ),
    close: async () => {
      closing = true;
      await graceFor(host, host.listening, 'its worker ends');
      await pool.destroy();
    },
  };
}

/** One that runs, and one that begins when it ends. */
const batchesAtOnce = 2;

async function runIn(
  pool: Piscina,
  batch: Batch,
  ends: BatchEnds & { readonly host: LinkHost; readonly isClosing: () => boolean },
): Promise<Outcome[]> {
  const { timeoutMs, recalled, isClosing, host, tasks: ids } = ends;
  const abort = new AbortController();
  let ended: RunnerDied | undefined;
  const end = (death: RunnerDied): void => {
    ended ??= death;
    void graceFor(host, ids, death.message).then(() => {
      abort.abort();
    });
  };
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          end(timedOut(timeoutMs));
        }, timeoutMs);
  recalled.addEventListener('abort', () => {
    end(recalledNow());
  });
  try {
    // A view is cloned with all of the buffer behind it, which may be far larger: it crosses as a buffer of its own.
    const tasks = new Uint8Array(batch.tasks);
    const options = { transferList: [tasks.buffer], signal: abort.signal };
    const outcomes = unpackOutcomes((await pool.run({ ...batch, tasks }, options)) as Uint8Array);
    // Whatever it gave in its last moment came too late.
    if (ended !== undefined) throw ended;
    return outcomes;
  } catch (error) {
    throw ended ?? asDeath(error, isClosing());
  } finally {
    clearTimeout(timer);
  }
}

/** What listens is given a moment to end by itself. */
export async function graceFor(
  host: LinkHost,
  tasks: readonly TaskId[],
  reason: string,
): Promise<void> {
  if (host.end(tasks, reason)) await delay(graceMs);
}

const graceMs = 2000;

function asDeath(error: unknown, closing: boolean): unknown {
  if (!(error instanceof Error)) return error;
  if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new RunnerDied('memory', 'it ran out of memory');
  }
  // The pool has no codes: what it reports beside these is a thread that ended by itself.
  return closing
    ? new RunnerDied('aborted', 'it was ended')
    : new RunnerDied('exit', 'it ended its thread, as process.exit() does');
}

/** What an attempt is told that nobody wants any more. */
export function recalledNow(): RunnerDied {
  return new RunnerDied('recalled', 'it is not wanted any more');
}

/** What an attempt that took too long is told. */
export function timedOut(timeoutMs: number): RunnerDied {
  return new RunnerDied('timeout', `it took longer than its timeout of ${timeoutMs.toString()} ms`);
}
