/** Lines at the foot of a terminal that are painted again and again; what else is printed meanwhile goes above them. */
import { createLogUpdate } from 'log-update';
import type { OutputStream } from './commands/base.ts';

/** A terminal that nobody looks at may say that it has no rows: nothing at all would fit. */
const rowsUnknown = 24;
const columnsUnknown = 80;

export interface LiveDisplay {
  /** Paints these lines instead of the last ones. */
  paint(text: string): void;
  /** Leaves the last lines standing, and the stream as it was. */
  end(): void;
}

/**
 * Takes the foot of a terminal.
 *
 * Whoever writes to the stream knows nothing of the display: the worker's talk, a warning, an error. So until `end` what
 * is written to the stream is taken here, and put above the display line by line.
 *
 * @param stream - a terminal
 */
export function startDisplay(stream: OutputStream): LiveDisplay {
  const write = stream.write.bind(stream);
  const screen = Object.create(stream, {
    write: { value: write },
    rows: { get: () => stream.rows || rowsUnknown },
    columns: { get: () => stream.columns || columnsUnknown },
  }) as OutputStream;
  const display = createLogUpdate(screen, { showCursor: true });
  let painted = '';
  let above = '';
  let printing = false;
  const print = (): void => {
    printing = false;
    const end = above.lastIndexOf('\n') + 1;
    if (end === 0) return;
    display.clear();
    write(above.slice(0, end));
    above = above.slice(end);
    if (painted !== '') display(painted);
  };
  const take = (
    chunk: unknown,
    encoding?: BufferEncoding | (() => void),
    done?: () => void,
  ): boolean => {
    above += typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString();
    // What comes together is printed together: a task may print thousands of lines.
    if (!printing) queueMicrotask(print);
    printing = true;
    const told = typeof encoding === 'function' ? encoding : done;
    if (told !== undefined) queueMicrotask(told);
    return true;
  };
  Object.assign(stream, { write: take });
  return {
    paint(text) {
      painted = text;
      display(text);
    },
    end() {
      print();
      display.done();
      Object.assign(stream, { write });
      // A line that was never ended stands below.
      if (above !== '') write(`${above}\n`);
    },
  };
}
