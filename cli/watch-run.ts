/** Follows a run to its end, from its record and from what the workers say of themselves. */
import type { OpenProject } from '../broker/project.ts';
import { JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import { decodeRecord, isOver, type RunRecord, type WorkerRecord } from '../core/records.ts';

/** How a run stands now. */
export interface RunView {
  readonly record: RunRecord;
  readonly workers: readonly WorkerRecord[];
}

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
 * @throws JugqError `INTERRUPTED`, `TIMED_OUT`, `UNKNOWN_RUN` if its record is taken away; its field `lost` says whether
 *   the server lost it
 */
export async function watchRun(project: OpenProject, options: WatchOptions): Promise<RunRecord> {
  const workers = new Map<string, WorkerRecord>();
  const until = options.until ?? ((record: RunRecord) => isOver(record.state));
  let last: RunRecord | undefined;
  const tell = (): void => {
    if (last !== undefined) options.onChange({ record: last, workers: [...workers.values()] });
  };
  const presence = project.workers.follow(1, (entry) => {
    if (entry.value === undefined) workers.delete(entry.key);
    else workers.set(entry.key, decodeRecord<WorkerRecord>(entry.value, 'a worker record'));
    tell();
  });
  const { promise, resolve, reject } = deferred<RunRecord>();
  const records = project.runs.follow(
    1,
    (entry) => {
      if (entry.key !== options.run) return;
      if (entry.value === undefined) {
        reject(runGone(options.run, 'its record was removed', false));
        return;
      }
      last = decodeRecord<RunRecord>(entry.value, `the record of run ${options.run}`);
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
          reject(
            new JugqError(
              'TIMED_OUT',
              `run ${options.run} is not done in time: it goes on: wait again with jugq wait ${options.run}`,
            ),
          );
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
