/** From Graphviz's language to a picture. */
import { Worker } from 'node:worker_threads';
import { formatDuration } from '../core/duration.ts';
import { builtFile } from '../core/built-file.ts';
import { JugqError } from '../core/errors.ts';

export interface LayoutEnds {
  readonly interrupted: AbortSignal;
  /** Give up after so long, ms; undefined: never. */
  readonly timeoutMs: number | undefined;
  /** Is told a sign of life now and then. */
  readonly say: (line: string) => void;
}

const signEveryMs = 5000;

/**
 * Has Graphviz, compiled for WebAssembly, draw a graph, in a thread: how long that takes nobody can tell beforehand.
 *
 * @param dot - the graph in Graphviz's language
 * @returns the text of an SVG document
 * @throws JugqError `INTERRUPTED`; `USAGE` if the graph is too large for Graphviz, or takes too long
 */
export async function layOut(dot: string, ends: LayoutEnds): Promise<string> {
  const { interrupted, timeoutMs, say } = ends;
  const thread = new Worker(builtFile('cli/layout-thread.js'), { workerData: dot });
  const timers: NodeJS.Timeout[] = [];
  try {
    return await new Promise<string>((resolve, reject) => {
      const refuse = (why: string): void => {
        const message = `Graphviz cannot draw this: ${why}: draw the functions, or write dot for another program`;
        reject(new JugqError('USAGE', message));
      };
      thread.once('message', resolve);
      thread.once('error', (error: unknown) => {
        refuse(error instanceof Error ? error.message : String(error));
      });
      if (timeoutMs !== undefined) {
        const given = formatDuration(timeoutMs);
        timers.push(
          setTimeout(() => {
            refuse(`it has not been done after ${given}, and --limit would give it all the time`);
          }, timeoutMs),
        );
      }
      let seconds = 0;
      timers.push(
        setInterval(() => {
          seconds += signEveryMs / 1000;
          say(`Graphviz places boxes and arrows: ${seconds.toString()} s so far`);
        }, signEveryMs),
      );
      const interrupt = (): void => {
        reject(new JugqError('INTERRUPTED', 'drawing was interrupted'));
      };
      interrupted.addEventListener('abort', interrupt, { once: true });
      if (interrupted.aborted) interrupt();
    });
  } finally {
    for (const timer of timers) clearTimeout(timer);
    await thread.terminate();
  }
}
