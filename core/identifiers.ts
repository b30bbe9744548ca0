/** Names that are part of keys and subjects: parsed once here, trusted everywhere else. */
import { JugqError } from './errors.ts';

declare const brand: unique symbol;

/** `<function>.<hash>`: key of the result and tail of the queue subject. */
export type TaskId = string & { readonly [brand]: 'TaskId' };
/** 1 to 48 of `[A-Za-z0-9_-]`: the namespace of streams and buckets. */
export type Project = string & { readonly [brand]: 'Project' };
/** ULID of one submitted plan. */
export type RunId = string & { readonly [brand]: 'RunId' };

const functionNamePattern = /^[A-Za-z0-9_/-]+$/;
const taskIdPattern = /^[A-Za-z0-9_/-]+\.[a-z2-7]{32}$/;
const projectPattern = /^[A-Za-z0-9_-]{1,48}$/;
const runPattern = /^[0-9A-HJKMNP-TV-Z]{26}$/;

/** Whether a function of this name can be part of a task id (a KV key and a subject token). */
export function isFunctionName(name: string): boolean {
  // No object has a field of that name of its own: what is written there is lost.
  return functionNamePattern.test(name) && name !== '__proto__';
}

/** The id of the task that calls `functionName` with arguments of this hash (32 characters of base32). */
export function taskId(functionName: string, hash: string): TaskId {
  return `${functionName}.${hash}` as TaskId;
}

/** Whether `text` is a whole task id. */
export function isTaskId(text: string): text is TaskId {
  return taskIdPattern.test(text);
}

/** The name of a task's function. */
export function functionNameOf(id: TaskId): string {
  return id.slice(0, id.lastIndexOf('.'));
}

/** The function's name and the hash of a task id. */
export function splitTaskId(id: TaskId): { functionName: string; hash: string } {
  const dot = id.lastIndexOf('.');
  return { functionName: id.slice(0, dot), hash: id.slice(dot + 1) };
}

/**
 * Checks a project's name.
 *
 * @throws JugqError `SETTINGS_INVALID`
 */
export function parseProject(name: string): Project {
  if (!projectPattern.test(name)) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected a project name of 1 to 48 letters, digits, "_" or "-", got ${JSON.stringify(name)}: choose another with --project`,
    );
  }
  return name as Project;
}

/** A valid project name made from any text, such as a package's name; `jugq` when nothing is left of it. */
export function projectFrom(text: string): Project {
  const name = text
    .replace(/^@/, '')
    .replace(/[^A-Za-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 48);
  return (name === '' ? 'jugq' : name) as Project;
}

/** Whether `text` is a run's id. */
export function isRunId(text: string): text is RunId {
  return runPattern.test(text);
}
