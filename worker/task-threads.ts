/** The threads of a worker that run tasks. */
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { threadFile } from './thread-file.ts';
import { answerLink, type ReadResults } from './thread-link.ts';
import { unpackOutcomes, type Batch, type Outcome } from './task-protocol.ts';

/** A batch that ended without outcomes, because its thread or process did. */
export class RunnerDied extends Error {
  /** `killed`: a whole process ended by a signal; `aborted`: we end all; `recalled`: its work is not wanted any more. */
  readonly kind: 'timeout' | 'memory' | 'exit' | 'killed' | 'aborted' | 'recalled';

  constructor(kind: RunnerDied['kind'], message: string) {
    super(message);
    this.name = 'RunnerDied';
    this.kind = kind;
  }
}

/** Something that runs batches. */
export interface Runner {
  /**
   * @param recalled - ends the batch
   * @throws RunnerDied
   */
  run(batch: Batch, timeoutMs: number | undefined, recalled: AbortSignal): Promise<Outcome[]>;
  /** Ends whatever runs. */
  close(): Promise<void>;
}

/**
 * Threads for at most `threads` batches at a time.
 *
 * @param read - answers what jugfiles ask while they are imported
 */
export function taskThreads(threads: number, read: ReadResults): Runner {
  const pool = new Piscina({
    filename: fileURLToPath(threadFile('task-thread')),
    name: 'runBatch',
    minThreads: threads,
    maxThreads: threads,
    // With 'sync' a thread sleeps between batches without its event loop: timers that a task left behind would freeze.
    atomics: 'disabled',
  });
  pool.on('message', (offer: unknown) => {
    answerLink(offer, read);
  });
  let closing = false;
  // Deaths of threads reach whoever waits for the batch.
  pool.on('error', () => undefined);
  return {
    run: (batch, timeoutMs, recalled) =>
      runIn(pool, batch, { timeoutMs, recalled, isClosing: () => closing }),
    close: () => {
      closing = true;
      return pool.destroy();
    },
  };
}

async function runIn(
  pool: Piscina,
  batch: Batch,
  ends: {
    readonly timeoutMs: number | undefined;
    readonly recalled: AbortSignal;
    readonly isClosing: () => boolean;
  },
): Promise<Outcome[]> {
  const { timeoutMs, recalled, isClosing } = ends;
  const abort = new AbortController();
  let timedOutMs: number | undefined;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOutMs = timeoutMs;
          abort.abort();
        }, timeoutMs);
  recalled.addEventListener('abort', () => {
    abort.abort();
  });
  try {
    // A view is cloned with all of the buffer behind it, which may be far larger: it crosses as a buffer of its own.
    const tasks = new Uint8Array(batch.tasks);
    const options = { transferList: [tasks.buffer], signal: abort.signal };
    return unpackOutcomes((await pool.run({ ...batch, tasks }, options)) as Uint8Array);
  } catch (error) {
    if (timedOutMs === undefined && recalled.aborted) throw recalledNow();
    throw asDeath(error, timedOutMs, isClosing());
  } finally {
    clearTimeout(timer);
  }
}

function asDeath(error: unknown, timeoutMs: number | undefined, closing: boolean): unknown {
  if (timeoutMs !== undefined) return timedOut(timeoutMs);
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
