/** Keeps a candidate for the dispatcher's role running in a thread of this process. */
import { Worker } from 'node:worker_threads';
import { builtFile } from '../core/built-file.ts';
import type { DispatcherThreadData } from './dispatcher-thread.ts';
import type { Trace, TraceEvent } from './trace.ts';

const restartMs = 1000;
/** A thread that cannot give the lease up in this time loses it by waiting. */
const stopMs = 5000;

export class DispatcherHost {
  readonly #data: DispatcherThreadData;
  readonly #trace: Trace;
  #thread: Worker | undefined;
  #stopped = false;

  constructor(data: DispatcherThreadData, trace: Trace) {
    this.#data = data;
    this.#trace = trace;
    this.#start();
  }

  /** Gives the lease up if it is held; resolves when the thread has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const thread = this.#thread;
    if (thread === undefined) return;
    const gone = new Promise<void>((resolve) =>
      thread.once('exit', () => {
        resolve();
      }),
    );
    thread.postMessage('stop');
    const timer = setTimeout(() => void thread.terminate(), stopMs);
    await gone;
    clearTimeout(timer);
  }

  #start(): void {
    const thread = new Worker(builtFile('worker/dispatcher-thread.js'), { workerData: this.#data });
    this.#thread = thread;
    thread.on('message', (event: TraceEvent) => {
      this.#trace(event);
    });
    thread.on('error', (error) => {
      this.#trace({
        kind: 'dispatcher-failed',
        reason: error instanceof Error ? error.message : String(error),
      });
    });
    thread.once('exit', () => {
      this.#thread = undefined;
      if (this.#stopped) return;
      setTimeout(() => {
        if (!this.#stopped) this.#start();
      }, restartMs).unref();
    });
  }
}
