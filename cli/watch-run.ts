/** Follows a run to its end, from its record and from what the workers say of themselves. */
import type { OpenProject } from '../broker/project.ts';
import { findShortages } from '../broker/room.ts';
import { decodeRun } from '../broker/run-records.ts';
import { presenceSilentMs } from '../broker/topology.ts';
import { readWorker } from '../broker/worker-records.ts';
import { JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import { isUnreadable } from '../core/wire.ts';
import { isOver, type RunRecord, type WorkerRecord } from '../core/records.ts';

/** How a run stands now. */
export interface RunView {
  readonly record: RunRecord;
  /** Those that have been heard of lately. */
  readonly workers: readonly WorkerRecord[];
  /** Why the server may not take what is written; empty while the run moves. */
  readonly shortages: readonly string[];
}

/** How often workers are counted, and a run that does not move is asked why. */
const lookEveryMs = 3000;

export interface WatchOptions {
  readonly run: RunId;
  readonly onChange: (view: RunView) => void;
  readonly signal?: AbortSignal;
  /** Give up after so long, ms; absent: never. */
  readonly timeoutMs?: number;
  /** End when this holds instead of at the end of the run. */
  readonly until?: (record: RunRecord) => boolean;
}

/**
 * Waits for a run.
 *
 * @returns its record at the end
 * @throws JugqError `INTERRUPTED`, `TIMED_OUT`, `FORMAT_UNKNOWN` or `VALUE_CORRUPT` if its record cannot be read here, `UNKNOWN_RUN` if its record is taken away; its field `lost` says whether
 *   the server lost it
 */
export async function watchRun(project: OpenProject, options: WatchOptions): Promise<RunRecord> {
  const workers = new Map<string, { readonly record: WorkerRecord; readonly heardAt: number }>();
  let shortages: readonly string[] = [];
  const until = options.until ?? ((record: RunRecord) => isOver(record.state));
  let last: RunRecord | undefined;
  const tell = (): void => {
    if (last === undefined) return;
    const since = performance.now() - presenceSilentMs;
    const living = [...workers.values()].filter((each) => each.heardAt > since);
    options.onChange({ record: last, workers: living.map((each) => each.record), shortages });
  };
  const presence = project.workers.follow(1, (entry) => {
    const record = readWorker(project, entry);
    if (record === undefined) workers.delete(entry.key);
    else workers.set(entry.key, { record, heardAt: performance.now() });
    tell();
  });
  let seen: RunRecord | undefined;
  const look = setInterval(() => {
    const stands = seen === last;
    seen = last;
    // What holds may depend on the time, too.
    if (last !== undefined && until(last)) resolve(last);
    // A server that is away now is asked again in a moment; that it is away is said elsewhere.
    void (stands ? findShortages(project) : Promise.resolve([])).then(
      (found) => {
        shortages = found;
        tell();
      },
      () => undefined,
    );
  }, lookEveryMs);
  const { promise, resolve, reject } = deferred<RunRecord>();
  const records = project.runs.follow(
    1,
    (entry) => {
      if (entry.key !== options.run) return;
      if (entry.value === undefined) {
        reject(runGone(options.run, 'its record was removed', false));
        return;
      }
      try {
        last = decodeRun(entry.value, entry.key);
      } catch (error) {
        if (!isUnreadable(error)) throw error;
        reject(error);
        return;
      }
      tell();
      if (until(last)) resolve(last);
    },
    () => {
      reject(runGone(options.run, 'the server came back without it', true));
    },
  );
  const timer =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const how =
            last?.state === 'paused'
              ? `it is paused: let it go on with jugq resume ${options.run}`
              : `it goes on: wait again with jugq wait ${options.run}`;
          reject(new JugqError('TIMED_OUT', `run ${options.run} is not done in time: ${how}`));
        }, options.timeoutMs);
  const interrupt = (): void => {
    reject(
      new JugqError(
        'INTERRUPTED',
        `waiting for run ${options.run} was interrupted: it goes on while workers live`,
      ),
    );
  };
  options.signal?.addEventListener('abort', interrupt, { once: true });
  if (options.signal?.aborted === true) interrupt();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    clearInterval(look);
    options.signal?.removeEventListener('abort', interrupt);
    presence.stop();
    records.stop();
  }
}

function runGone(run: RunId, why: string, lost: boolean): JugqError {
  const message = `run ${run} is gone: ${why}: plan the jugfile again`;
  return new JugqError('UNKNOWN_RUN', message, { fields: { lost } });
}

function deferred<T>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
