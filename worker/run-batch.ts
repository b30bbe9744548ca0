/** Runs the user's functions, in whatever thread or process this module is loaded into: one batch at a time. */
import { hash } from 'node:crypto';
import { encodeValue } from '../core/codec.ts';
import { invariant, JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import { installJugfileApi } from '../core/jugfile-api.ts';
import type { TaskError } from '../core/records.ts';
import { formatUserError } from '../core/stack.ts';
import { literalName, stageRunOf } from '../core/stages.ts';
import { currentAttempt, currentEvaluation, type Source } from '../core/task.ts';
import { BundleImport } from './importing.ts';
import { Intrinsics } from './intrinsics.ts';
import { prepareCall } from './prepare-call.ts';
import {
  packOutcomes,
  unpackTasks,
  type Batch,
  type Outcome,
  type RunnableTask,
} from './task-protocol.ts';
import { openContext, type OpenContext } from './task-context.ts';
import type { WorkerLink } from './thread-link.ts';
import { captureOutput, tell, type OutputTail } from './user-output.ts';

/** The attempt that the asynchronous context belongs to, as this module keeps it. */
interface Attempt {
  readonly taskId: TaskId;
  readonly tail: OutputTail;
  /** Ends the attempt from outside of its promise; does nothing once it is over. */
  readonly fail: (error: unknown) => void;
  over: boolean;
}

/** Bundles that have had their say about the language's own objects. */
const accepted = new WeakSet<BundleImport>();
const bundles = new Map<string, BundleImport>();
const intrinsics = new Intrinsics();
let link: WorkerLink | undefined;
const attempts = new WeakMap<object, Attempt>();

/**
 * Prepares the thread or process: before any bundle is imported.
 *
 */
export function prepareForUserCode(toWorker: WorkerLink): void {
  link = toWorker;
  process.setSourceMapsEnabled(true);
  installJugfileApi();
  captureOutput(() => {
    const attempt = attemptNow();
    if (attempt !== undefined) return { mark: shortId(attempt.taskId), tail: attempt.tail };
    // The jugfile's own prints were shown when it was planned; each thread that imports it would repeat them.
    return currentEvaluation.getStore() === undefined ? { mark: 'task' } : undefined;
  });
  listen();
  process.exit = exitCalled;
}

function listen(): void {
  process.on('uncaughtException', blame);
  process.on('unhandledRejection', blame);
}

/** Ends the attempt that calls it, and not the thread, in which others may run by then. */
function exitCalled(code?: number | string | null): never {
  const error = new ExitCalled(code ?? process.exitCode ?? 0);
  blame(error);
  throw error;
}

class ExitCalled extends Error {
  override readonly name = 'Exit';

  constructor(code: number | string) {
    super(`it called process.exit(${String(code)})`);
  }
}

/**
 * Runs the tasks of a batch in turn.
 *
 * @returns packed outcomes, one for each task in the same order; never rejects for what user code does
 */
export async function runBatch(batch: Batch): Promise<Uint8Array> {
  const outcomes: Outcome[] = [];
  for (const task of unpackTasks(batch.tasks)) outcomes.push(await runTask(batch, task));
  tidy(batch.functionName);
  return packOutcomes(outcomes);
}

/** What a task has done to the whole thread must not reach those after it. */
function tidy(functionName: string): void {
  const changed = intrinsics.restore();
  if (changed.length > 0) {
    tell(`it changed ${changed.join(', ')}: put back`, functionName);
  }
  if (process.listenerCount('uncaughtException') === 0) {
    process.removeAllListeners('unhandledRejection');
    listen();
  }
}

async function runTask(batch: Batch, task: RunnableTask): Promise<Outcome> {
  const tail: OutputTail = { text: '' };
  try {
    const find = (name: string): Promise<Source> => findFunction(batch, name);
    const call = await prepareCall(batch.functionName, task, find);
    const startedAt = performance.now();
    const result = await callUser(call, task, tail);
    // Else its outcome might not get away from here.
    if (intrinsics.looksChanged()) tidy(batch.functionName);
    const value = encodeValue(result);
    if (value.length > resultBytesMax) throw tooLarge(value.length);
    const ms = performance.now() - startedAt;
    return { kind: 'done', ms, value, digest: hash('sha256', value, 'hex').slice(0, 32) };
  } catch (error) {
    if (intrinsics.looksChanged()) tidy(batch.functionName);
    return { kind: 'failed', error: describe(error), output: tail.text };
  }
}

/** Larger ones take minutes to store and to read, and the memory of a worker several times over. */
const resultBytesMax = 2 ** 30;

function tooLarge(bytes: number): JugqError {
  return new JugqError(
    'VALUE_NOT_STORABLE',
    `the result takes ${bytes.toString()} bytes, at most ${resultBytesMax.toString()} can be stored: split it, or write a file and return its path`,
  );
}

async function findFunction(batch: Batch, name: string): Promise<Source> {
  const own = name === literalName ? stageRunOf(name) : undefined;
  if (own !== undefined) return own;
  let bundle = bundles.get(batch.file);
  if (bundle === undefined) {
    bundle = new BundleImport(batch.file, linked().read);
    bundles.set(batch.file, bundle);
  }
  try {
    const found = (await bundle.find(name)) ?? stageRunOf(name);
    if (!accepted.has(bundle)) intrinsics.accept();
    accepted.add(bundle);
    if (found !== undefined) return found;
  } catch (error) {
    // A bundle that could not be loaded (a package is missing) may load when the task is tried again.
    bundles.delete(batch.file);
    throw error;
  }
  throw missing(batch, name);
}

function missing(batch: Batch, name: string): JugqError {
  return new JugqError(
    'FUNCTION_MISSING',
    `the jugfile has no function ${name} when a worker loads it: ${batch.file}: declare it at the top level, not in the plan function and not behind a condition`,
  );
}

/** Awaits the user's function, or what goes wrong outside of its promise, whichever ends it first. */
function callUser(call: () => unknown, task: RunnableTask, tail: OutputTail): Promise<unknown> {
  const taskId = task.id;
  let opened: OpenContext | undefined;
  const context = {
    taskId,
    context: () => (opened ??= openContext(task, linked())).context,
  };
  const called = new Promise<unknown>((resolve, reject) => {
    const attempt: Attempt = {
      taskId,
      tail,
      over: false,
      fail: (error) => {
        attempt.over = true;
        reject(error);
      },
    };
    attempts.set(context, attempt);
    currentAttempt.run(context, () => {
      void new Promise((settle) => {
        settle(call());
      }).then((value) => {
        attempt.over = true;
        resolve(value);
      }, attempt.fail);
    });
  });
  return called.finally(() => opened?.close());
}

function linked(): WorkerLink {
  invariant(link, 'the thread was prepared');
  return link;
}

/** Calls of `process.exit` also arrive as errors that nobody caught. */
const told = new WeakSet<ExitCalled>();

function attemptNow(): Attempt | undefined {
  const context = currentAttempt.getStore();
  return context && attempts.get(context);
}

/** An error that nobody caught: its task's failure if that still runs, else only told. */
function blame(error: unknown): void {
  const attempt = attemptNow();
  if (error instanceof ExitCalled && told.has(error)) return;
  if (error instanceof ExitCalled) told.add(error);
  if (attempt !== undefined && !attempt.over) {
    attempt.fail(error);
    return;
  }
  const mark = attempt === undefined ? 'task' : `${shortId(attempt.taskId)}, after it had ended`;
  tell(formatUserError(error), mark);
}

function describe(error: unknown): TaskError {
  if (error instanceof JugqError)
    return { name: error.code, message: cut(error.message), stack: '' };
  const text = formatUserError(error);
  const firstLine = text.split('\n', 1)[0] ?? '';
  const name = /^([A-Za-z_$][\w$.]*)(?:: |$)/.exec(firstLine)?.[1] ?? 'Error';
  return { name, message: cut(firstLine.replace(`${name}: `, '')), stack: cut(text) };
}

/** A record of a failure has to fit a message, whatever was thrown. */
const errorTextMax = 16_000;

function cut(text: string): string {
  return text.length > errorTextMax ? `${text.slice(0, errorTextMax)}…` : text;
}

/** Enough of an id to be told from its neighbours by a reader. */
function shortId(id: TaskId): string {
  const dot = id.lastIndexOf('.');
  return id.slice(0, dot + 9);
}
