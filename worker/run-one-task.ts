/** Runs one task in this very thread, where a debugger looks first; nothing of it is stored. */
import { JugqError } from '../core/errors.ts';
import { installJugfileApi } from '../core/jugfile-api.ts';
import { literalName, stageRunOf } from '../core/stages.ts';
import { currentAttempt } from '../core/task.ts';
import { BundleImport } from './importing.ts';
import { prepareCall } from './prepare-call.ts';
import { openContext } from './task-context.ts';
import type { RunnableTask } from './task-protocol.ts';
import { WorkerLink, type ReadResults } from './thread-link.ts';

/** A task with everything that it needs. */
export interface OneTask extends RunnableTask {
  readonly functionName: string;
  /** The bundle, on disk. */
  readonly file: string;
  /** For a jugfile that waits for values while it is imported. */
  readonly read: ReadResults;
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
    const bundle = new BundleImport(task.file, task.read);
    const call = await prepareCall(task.functionName, task, async (name) => {
      const own = name === literalName ? stageRunOf(name) : await bundle.find(name);
      return own ?? stageRunOf(name) ?? missing(name);
    });
    const context = { taskId: task.id, context: () => opened.context };
    return await currentAttempt.run(context, call);
  } finally {
    opened.close();
    printed.end();
  }
}

function missing(name: string): never {
  throw new JugqError(
    'FUNCTION_MISSING',
    `the jugfile has no function ${name} when it is loaded to run tasks: declare it at the top level`,
  );
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
