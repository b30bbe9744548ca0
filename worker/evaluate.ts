/** Evaluates a jugfile's bundle in a fresh thread of its own, and gives what it declared. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { JugqError } from '../core/errors.ts';
import type { Graph } from '../core/graph.ts';
import type { EncodedExport, EvaluateReply, EvaluateRequest } from './evaluate-protocol.ts';
import { threadFile } from './thread-file.ts';

export type { EncodedExport } from './evaluate-protocol.ts';

/** What a jugfile declares. */
export interface Evaluated {
  /** Without fingerprints. */
  readonly graph: Graph;
  readonly sources: ReadonlyMap<string, string>;
  readonly exports: ReadonlyMap<string, EncodedExport>;
}

export interface EvaluateOptions {
  /** The jugfile as the user named it. */
  readonly jugfile: string;
  readonly file: string;
  readonly directory: string;
  readonly args: readonly string[];
  /** Called every second with the count of tasks declared so far: a long evaluation is seen to be alive. */
  readonly onProgress: (tasks: number) => void;
  readonly signal?: AbortSignal;
}

const progressEveryMs = 1000;
/** Node's own exit status for a top-level await that nothing can settle any more. */
const unsettledAwait = 13;

/**
 * Evaluates a bundle.
 *
 * @throws JugqError `JUGFILE_THREW` for an error of the user's code, with its stack; the codes of `task()` calls;
 *   `INTERRUPTED`
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluated> {
  const { jugfile, file, directory, args, signal } = options;
  const progress = new SharedArrayBuffer(4);
  const request: EvaluateRequest = { file, directory, args, progress };
  const thread = new Worker(threadFile('evaluate-thread'), { workerData: request });
  const timer = setInterval(() => {
    options.onProgress(new Int32Array(progress)[0] ?? 0);
  }, progressEveryMs);
  const abort = (): void => void thread.terminate();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const reply = await firstReply(thread, jugfile, signal);
    if (reply.kind === 'failed')
      throw new JugqError(reply.code, `planning ${jugfile}: ${reply.message}`);
    return reply;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', abort);
    await thread.terminate();
  }
}

async function firstReply(
  thread: Worker,
  jugfile: string,
  signal: AbortSignal | undefined,
): Promise<EvaluateReply> {
  const settled = new AbortController();
  const ends = { signal: settled.signal };
  const gone = once(thread, 'exit', ends).then(([status]: unknown[]) => {
    if (signal?.aborted === true)
      throw new JugqError('INTERRUPTED', `planning ${jugfile} was interrupted`);
    const what =
      status === 0 || status === unsettledAwait
        ? 'it waits for something that never comes (a top-level await), or called process.exit(0)'
        : `it ended its process with status ${String(status)}`;
    throw new JugqError(
      'JUGFILE_THREW',
      `planning ${jugfile}: ${what}: let the jugfile run to its end`,
    );
  });
  const reply = once(thread, 'message', ends).then(
    ([message]: unknown[]) => message as EvaluateReply,
  );
  try {
    return await Promise.race([reply, gone]);
  } finally {
    settled.abort();
    // The loser ends with the abort, and nobody waits for it.
    reply.catch(() => undefined);
    gone.catch(() => undefined);
  }
}
