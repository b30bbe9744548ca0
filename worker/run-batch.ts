/** Runs the user's functions, in whatever thread or process this module is loaded into: one batch at a time. */
import { hash } from 'node:crypto';
import { dirname } from 'node:path';
import { encodeValue } from '../core/codec.ts';
import { invariant, isJugqError, JugqError } from '../core/errors.ts';
import { functionNameOf, type TaskId } from '../core/identifiers.ts';
import { installJugfileApi } from '../core/jugfile-api.ts';
import type { TaskError } from '../core/records.ts';
import type { FileReference } from '../core/references.ts';
import { formatUserError, printable } from '../core/stack.ts';
import { currentEvaluation, type Source } from '../core/task.ts';
import { Attempt, attemptNow, blameAttempts, keepBlaming, shortId } from './attempt.ts';
import { BundleImport } from './importing.ts';
import { Intrinsics } from './intrinsics.ts';
import { localPath } from './local-files.ts';
import { functionOf, openCall, type FilePaths, type OpenCall } from './prepare-call.ts';
import {
  packOutcomes,
  unpackTasks,
  type Batch,
  type BatchTask,
  type Outcome,
  type RunnableTask,
} from './task-protocol.ts';
import type { WorkerLink } from './thread-link.ts';
import { captureOutput, tell } from './user-output.ts';

/** A bundle with those of its functions that were asked for. */
interface OpenBundle {
  readonly imported: BundleImport;
  readonly functions: Map<string, Source>;
}

const bundles = new Map<string, OpenBundle>();
const intrinsics = new Intrinsics();
let link: WorkerLink | undefined;

/** Prepares the thread or process: before any bundle is imported. */
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
  blameAttempts();
}

/**
 * Runs the tasks of a batch in turn.
 *
 * @returns packed outcomes, one for each task in the same order; never rejects for what user code does
 */
export async function runBatch(batch: Batch): Promise<Uint8Array> {
  const outcomes: Outcome[] = [];
  const results = new Map<TaskId, Uint8Array>();
  const tasks = unpackTasks(batch.tasks);
  for (const task of tasks) {
    const inputs = inputsOf(task, results);
    const { id, attempt, arguments: args } = task;
    const outcome =
      inputs === undefined
        ? skipped
        : runTask(batch.file, { id, attempt, arguments: args, inputs });
    // Promises would be most of what a tiny task costs that waits for nothing.
    const settled = outcome instanceof Promise ? await outcome : outcome;
    if (settled.kind === 'done') results.set(id, settled.value);
    outcomes.push(settled);
  }
  const last = tasks.at(-1);
  if (last !== undefined) tidy(functionNameOf(last.id));
  return packOutcomes(outcomes);
}

const skipped: Outcome = { kind: 'skipped' };

/** All inputs, those from tasks of the same batch among them; undefined: one of these has failed. */
function inputsOf(
  { inputs }: BatchTask,
  results: ReadonlyMap<TaskId, Uint8Array>,
): Uint8Array[] | undefined {
  const bytes: Uint8Array[] = [];
  for (const each of inputs) {
    const input = typeof each === 'string' ? results.get(each) : each;
    if (input === undefined) return undefined;
    bytes.push(input);
  }
  return bytes;
}

/** What a task has done to the whole thread must not reach those after it. */
function tidy(functionName: string): void {
  const changed = intrinsics.restore();
  if (changed.length > 0) {
    tell(`it changed ${changed.join(', ')}: put back`, functionName);
  }
  keepBlaming();
}

/** At once, if the task's functions are at hand and what it calls is no promise. */
function runTask(file: string, task: RunnableTask): Outcome | Promise<Outcome> {
  const functionName = functionNameOf(task.id);
  const attempt = new Attempt(task, linked());
  try {
    const open = openCall(task, functionName, linked());
    const bundle = openBundle(file);
    if (open.files.length === 0 && open.functions.every((name) => bundle.functions.has(name))) {
      return carryOut(attempt, functionName, open, { bundle, paths: noPaths });
    }
    return findAndCarryOut(attempt, functionName, open, bundle);
  } catch (error) {
    return failed(attempt, functionName, error);
  }
}

async function findAndCarryOut(
  attempt: Attempt,
  functionName: string,
  open: OpenCall,
  bundle: OpenBundle,
): Promise<Outcome> {
  const paths = new Map<FileReference, string>();
  try {
    for (const name of open.functions) await find(bundle, name);
    const from = { directory: dirname(bundle.imported.file), read: linked().read };
    for (const each of open.files) paths.set(each, await localPath(each, from));
  } catch (error) {
    return failed(attempt, functionName, error);
  }
  return carryOut(attempt, functionName, open, { bundle, paths });
}

const noPaths: FilePaths = new Map();

function carryOut(
  attempt: Attempt,
  functionName: string,
  { call }: OpenCall,
  { bundle, paths }: { readonly bundle: OpenBundle; readonly paths: FilePaths },
): Outcome | Promise<Outcome> {
  const startedAt = performance.now();
  try {
    const given = attempt.call(() => call(bundle.functions, paths));
    return given instanceof Promise
      ? whenSettled(attempt, functionName, given, startedAt)
      : done(functionName, given, startedAt);
  } catch (error) {
    return failed(attempt, functionName, error);
  }
}

async function whenSettled(
  attempt: Attempt,
  functionName: string,
  given: Promise<unknown>,
  startedAt: number,
): Promise<Outcome> {
  try {
    return done(functionName, await given, startedAt);
  } catch (error) {
    return failed(attempt, functionName, error);
  }
}

function done(functionName: string, result: unknown, startedAt: number): Outcome {
  // Else its outcome might not get away from here.
  if (intrinsics.looksChanged()) tidy(functionName);
  const value = encodeValue(result);
  if (value.length > resultBytesMax) throw tooLarge(value.length);
  const ms = performance.now() - startedAt;
  return { kind: 'done', ms, value, digest: hash('sha256', value, 'hex').slice(0, 32) };
}

function failed({ tail, begunAt }: Attempt, functionName: string, error: unknown): Outcome {
  const ms = performance.now() - begunAt;
  if (intrinsics.looksChanged()) tidy(functionName);
  return { kind: 'failed', ms, error: describe(error), output: tail.text };
}

/** Larger ones take minutes to store and to read, and the memory of a worker several times over. */
const resultBytesMax = 2 ** 30;

function tooLarge(bytes: number): JugqError {
  return new JugqError(
    'VALUE_NOT_STORABLE',
    `the result takes ${bytes.toString()} bytes, at most ${resultBytesMax.toString()} can be stored: split it, or write a file and return its path`,
  );
}

function openBundle(file: string): OpenBundle {
  let bundle = bundles.get(file);
  if (bundle === undefined) {
    bundle = { imported: new BundleImport(file, linked().read), functions: new Map() };
    bundles.set(file, bundle);
  }
  return bundle;
}

async function find({ imported, functions }: OpenBundle, name: string): Promise<void> {
  try {
    const found = await functionOf(imported, name);
    // The bundle has had its say about the language's own objects.
    if (functions.size === 0) intrinsics.accept();
    functions.set(name, found);
  } catch (error) {
    // A bundle that could not be loaded (a package is missing) may load when the task is tried again.
    if (!isJugqError(error, 'FUNCTION_MISSING')) bundles.delete(imported.file);
    throw error;
  }
}

function linked(): WorkerLink {
  invariant(link, 'the thread was prepared');
  return link;
}

function describe(error: unknown): TaskError {
  if (error instanceof JugqError)
    return { name: error.code, message: cut(printable(error.message)), stack: '' };
  const text = printable(formatUserError(error));
  const firstLine = text.split('\n', 1)[0] ?? '';
  const name = /^([A-Za-z_$][\w$.]*)(?:: |$)/.exec(firstLine)?.[1] ?? 'Error';
  return { name, message: cut(firstLine.replace(`${name}: `, '')), stack: cut(text) };
}

/** A record of a failure has to fit a message, whatever was thrown. */
const errorTextMax = 16_000;

function cut(text: string): string {
  return text.length > errorTextMax ? `${text.slice(0, errorTextMax)}…` : text;
}
