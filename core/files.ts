/** Files as arguments: `file` and `files`. What counts of a file is its content; a task gets a path to that content. */
import { inspect } from 'node:util';
import { hashTask } from './canonical.ts';
import { toBase32 } from './base32.ts';
import { JugqError } from './errors.ts';
import { taskId, type TaskId } from './identifiers.ts';
import type { Identity } from './identity.ts';
import { plannerFor } from './planning.ts';
import type { FileReference } from './references.ts';
import { describe, identify, refer, refuseUse, type StandInObject } from './stand-in.ts';
import { callerLine, type StandIn } from './task.ts';

/**
 * A file that counts by its content: the same content is the same task, wherever the file lies and whatever it is
 * called. The task gets a path: that of the file, where it is there with this content, else that of a copy.
 *
 * @param path - relative to the working directory of whoever plans
 * @throws JugqError `FILE_NOT_FOUND`, `TASK_OUTSIDE_PLAN`
 */
export function file(path: string): StandIn<string>;
/** As seen from within. */
export function file(path: unknown): unknown {
  return handleOf('file', path);
}

/**
 * The files that match a pattern, sorted by their paths, each as `file` gives it. Names that begin with a dot match only
 * patterns that say so.
 *
 * @param pattern - such as `data/*.csv`, with `/` on every platform; relative to the working directory of whoever plans
 * @throws JugqError `USAGE`, `TASK_OUTSIDE_PLAN`
 */
export function files(pattern: string): StandIn<string>[];
/** As seen from within. */
export function files(pattern: unknown): unknown {
  const planner = plannerFor('files');
  return planner.matches(textOf('files', pattern)).map((path) => handleOf('files', path));
}

/** A file as it was when it was planned. */
export interface FileFacts {
  /** Absolute. */
  readonly path: string;
  /** SHA-256 of its content, hexadecimal. */
  readonly digest: string;
  /** In bytes. */
  readonly size: number;
}

/** The id under which the content of a file is stored for workers that do not have it. */
export function contentId(digest: string): TaskId {
  const hash = hashTask(contentName, undefined, [digest], () => undefined);
  return taskId(contentName, toBase32(hash));
}

const contentName = 'jugq/file';

/** Read when it counts: a worker that imports a jugfile need not have the files. */
class FileHandle implements StandInObject {
  readonly #read: () => FileFacts;

  constructor(read: () => FileFacts) {
    this.#read = read;
  }

  [identify](): Identity {
    return { kind: 'digest', tag: 'file', digest: this.#read().digest };
  }

  [refer](): FileReference {
    const { path, digest, size } = this.#read();
    return { file: digest, path, size };
  }

  [describe](): string {
    return 'a file()';
  }
}
refuseUse(FileHandle.prototype);

/** Whether a value is what `file` gives. */
export function isFileHandle(value: unknown): boolean {
  return value instanceof FileHandle;
}

function handleOf(call: string, path: unknown): FileHandle {
  return new FileHandle(plannerFor(call).fileAt(textOf(call, path), callerLine()));
}

function textOf(call: string, text: unknown): string {
  if (typeof text === 'string' && text !== '') return text;
  throw new JugqError(
    'USAGE',
    `${call}(): expected a path, got ${inspect(text, { depth: 0 })}: ${callerLine()}`,
  );
}
