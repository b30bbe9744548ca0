/**
 * What user code prints, in a thread: to the process's stderr at once, each line marked with who printed it.
 *
 * Written from the thread itself: a task that floods stdout slows itself down and not the worker, and what it printed
 * is there even if the process dies a moment later.
 */
import { writeSync } from 'node:fs';

/** What has been printed: the last so many characters. */
export interface OutputTail {
  text: string;
}

const tailMax = 4000;

/**
 * Sends what the thread prints to stderr.
 *
 * @param speaker - who prints now: the mark of the lines, and where to keep their tail; undefined: nobody who matters
 */
export function captureOutput(
  speaker: () => { readonly mark: string; readonly tail?: OutputTail } | undefined,
): void {
  const write = (chunk: unknown, ...rest: unknown[]): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk as Uint8Array).toString();
    const speaking = speaker();
    if (speaking !== undefined) {
      const { mark, tail } = speaking;
      if (tail !== undefined) tail.text = (tail.text + text).slice(-tailMax);
      writeAll(markLines(text, mark));
    }
    const done = rest.find((each): each is () => void => typeof each === 'function');
    if (done !== undefined) queueMicrotask(done);
    return true;
  };
  process.stdout.write = write;
  process.stderr.write = write;
}

/** Writes lines of our own to stderr, past what stands for the user's. */
export function tell(text: string, mark: string): void {
  writeAll(markLines(text, mark));
}

/** A text's lines, each marked; a text that does not end in a new line gets one. */
export function markLines(text: string, mark: string): string {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  const marked = process.env[outputVariable] === 'json' ? jsonLine : textLine;
  return body
    .split('\n')
    .flatMap(piecesOf)
    .map((line) => marked(line, mark))
    .join('');
}

/** Threads share a pipe, and only what is short is written to it as a whole: a longer line would be torn. */
const pieceMax = 900;
/** Characters, none of them torn. */
const piece = /[^]{1,900}/gu;
const pipeBytesMax = 4096;

function piecesOf(line: string): readonly string[] {
  return line.length <= pieceMax ? [line] : (line.match(piece) ?? []);
}

/** Reaches threads and child processes: how a worker with a JSON log wants the output of its tasks. */
export const outputVariable = 'JUGQ_OUTPUT';

function textLine(line: string, mark: string): string {
  return `[${mark}] ${line}\n`;
}

function jsonLine(message: string, task: string): string {
  const time = new Date().toISOString();
  return `${JSON.stringify({ time, level: 'info', kind: 'output', task, message })}\n`;
}

/** How many bytes can be written at once, up to the end of a line. */
function wholeLines(bytes: Buffer): number {
  if (bytes.length <= pipeBytesMax) return bytes.length;
  const end = bytes.lastIndexOf('\n', pipeBytesMax - 1);
  return end === -1 ? pipeBytesMax : end + 1;
}

const fullPipeWaitMs = 5;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** A pipe that is full or gone must not break the task that prints. */
function writeAll(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(2, rest, 0, wholeLines(rest)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(sleeper, 0, 0, fullPipeWaitMs);
    }
  }
}
