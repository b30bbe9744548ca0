/** Runs one task in this very thread, where a debugger looks first; nothing of it is stored. */
import { dirname } from 'node:path';
import { installJugfileApi } from '../core/jugfile-api.ts';
import type { FileReference } from '../core/references.ts';
import { currentAttempt, type Source } from '../core/task.ts';
import { BundleImport } from './importing.ts';
import { localPath } from './local-files.ts';
import { functionOf, openCall } from './prepare-call.ts';
import { openContext } from './task-context.ts';
import type { RunnableTask } from './task-protocol.ts';
import { WorkerLink, type ResultReader } from './thread-link.ts';

/** A task with everything that it needs. */
export interface OneTask extends RunnableTask {
  readonly functionName: string;
  /** The bundle, on disk. */
  readonly file: string;
  /** For a jugfile that waits for values while it is imported, and results that the task loads itself. */
  readonly reader: ResultReader;
}

/**
 * Calls the user's function with the task's arguments. What is printed meanwhile goes to stderr.
 *
 * @returns what it returned, as it is
 * @throws JugqError `FUNCTION_MISSING`; what the function throws
 */
export async function runOneTask(task: OneTask): Promise<unknown> {
  process.setSourceMapsEnabled(true);
  installJugfileApi();
  const printed = printOnStderr();
  const opened = openContext(task, new WorkerLink(() => undefined));
  try {
    const bundle = new BundleImport(task.file, task.reader.read);
    const { functions, files, call } = openCall(task, task.functionName, task.reader);
    const found = new Map<string, Source>();
    for (const name of functions) found.set(name, await functionOf(bundle, name));
    const paths = new Map<FileReference, string>();
    const from = { directory: dirname(task.file), read: task.reader.read };
    for (const each of files) paths.set(each, await localPath(each, from));
    const context = { taskId: task.id, context: () => opened.context };
    return await currentAttempt.run(context, () => call(found, paths));
  } finally {
    opened.close();
    printed.end();
  }
}

/** Stdout is for the result alone. */
function printOnStderr(): { end(): void } {
  const { stdout, stderr } = process;
  const own = stdout.write.bind(stdout);
  stdout.write = stderr.write.bind(stderr);
  return {
    end() {
      stdout.write = own;
    },
  };
}
