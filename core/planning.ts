/**
 * What a jugfile may wait for while it is planned: values of tasks, barriers, values that the planner computes itself,
 * and compounds, whose inner tasks are declared only if they are needed.
 *
 * None of it ever rejects because a value is missing: planning is parked instead, so that no `catch` of the user's can
 * take a wait for an error.
 */
import { JugqError } from './errors.ts';
import type { FileFacts } from './files.ts';
import { isFunctionName } from './identifiers.ts';
import {
  callerLine,
  currentAttempt,
  currentEvaluation,
  define,
  definitionOf,
  readCall,
  TaskHandle,
  type Definition,
  type Task,
  type TaskFunction,
  type TaskOptions,
  type Value,
} from './task.ts';

/** Answers what a jugfile asks while it is evaluated. */
export interface Planner {
  /**
   * The values of a structure with tasks in it, once they are all there.
   *
   * @param place - where in the jugfile it is asked
   */
  value(x: unknown, place: string): Promise<unknown>;
  /** Resolves when all tasks declared so far are finished: by the compound's body, if it is asked in one. */
  barrier(place: string): Promise<void>;
  /** The stored result of this call; `compute` makes it where there is none. */
  cached(call: CachedCall, compute: () => unknown): Promise<unknown>;
  /** The task that a compound is; `expand` gives what it is made of, and is called only if it has no result. */
  compound(definition: Definition, args: readonly unknown[], expand: () => unknown): unknown;
  /**
   * A file, to be read when its content counts.
   *
   * @param place - where in the jugfile it is named
   */
  fileAt(path: string, place: string): () => FileFacts;
  /** How many items a task of a stage is to take, by what its items took before; the same stretch gives the same for ever. */
  chunkSize(stage: StageItems): Promise<number>;
  /** The paths of the files that match a pattern, sorted. */
  matches(pattern: string): string[];
}

/** A stretch of a list of items that is to be shared out. */
export interface StageItems {
  /** The function of the tasks, and that of a single item. */
  readonly functions: readonly [stage: string, item: string];
  readonly version: number | string | undefined;
  /** Where in the list it begins, and with what. */
  readonly start: number;
  readonly item: unknown;
  /** Items of the whole list. */
  readonly count: number;
  /** Where nothing is known. */
  readonly otherwise: number;
}

/** A call whose result is kept like that of a task. */
export interface CachedCall {
  readonly name: string;
  readonly version: number | string | undefined;
  readonly args: readonly unknown[];
}

/**
 * The value of a task, or of any structure with tasks in it, while the jugfile is planned: planning stops here until it
 * is there, and the tasks declared so far are executed meanwhile.
 *
 * @throws JugqError `TASK_OUTSIDE_PLAN` inside a running task or outside a jugfile
 */
export async function value<T>(x: T): Promise<Value<T>> {
  const place = callerLine();
  return (await plannerFor('value').value(x, place)) as Value<T>;
}

/**
 * Waits until all tasks declared so far are finished; in the body of a compound, all that the body has declared so far.
 *
 * @throws JugqError `TASK_OUTSIDE_PLAN` inside a running task or outside a jugfile
 */
export async function barrier(): Promise<void> {
  const place = callerLine();
  await plannerFor('barrier').barrier(place);
}

/**
 * The result of a call that the planner makes itself, at once, and only if it is not stored yet: what is needed to plan
 * (a list of files, a table of parameters) and is not to change from one plan to the next.
 *
 * @param fn - a named function or a task function; gets the plain arguments, may be async
 * @throws JugqError `FUNCTION_UNNAMED`, `ARGUMENT_NOT_HASHABLE`, `VALUE_NOT_STORABLE`, `TASK_OUTSIDE_PLAN`
 */
export async function cached<P extends readonly unknown[], R>(
  fn: ((...args: P) => R) | TaskFunction<P, R>,
  ...args: P
): Promise<Awaited<R>> {
  const place = callerLine();
  // Plain JavaScript has no types to tell of a slip.
  if (typeof fn !== 'function') {
    throw new JugqError('USAGE', `cached(): expected a function, got ${String(fn)}: ${place}`);
  }
  const definition = definitionOf(fn);
  const name = definition?.name ?? fn.name;
  if (!isFunctionName(name)) {
    throw new JugqError(
      'FUNCTION_UNNAMED',
      `cached(): a function without a name cannot be remembered: ${place}: name it, function name(…) { … }`,
    );
  }
  const run = definition?.run ?? fn;
  const call = { name, version: definition?.version, args };
  const compute = (): unknown => Reflect.apply(run, undefined, args);
  return (await plannerFor('cached').cached(call, compute)) as Awaited<R>;
}

/**
 * Makes a function whose calls are tasks that consist of other tasks: its body is called while planning, declares tasks
 * and returns a structure of them, whose values are the result. A call whose result is stored is not expanded: its inner
 * tasks do not exist for that run. Its result is there only when all tasks are finished that its body has declared,
 * returned or not, and goes when one of them is invalidated.
 *
 * @param f - may be async, may wait for values, may call other compounds
 * @throws JugqError as `task()` does
 */
export function compound<P extends readonly unknown[], R>(
  f: (...args: P) => R,
  options?: CompoundOptions,
): (...args: P) => Task<Value<Awaited<R>>>;
export function compound<P extends readonly unknown[], R>(
  name: string,
  f: (...args: P) => R,
  options?: CompoundOptions,
): (...args: P) => Task<Value<Awaited<R>>>;
/** Both forms of the call. */
export function compound(...call: readonly unknown[]): unknown {
  const { name, fn, options } = readCall('compound', call);
  // What travels to a worker is the structure that the body returned: to execute it is to hand that on.
  const definition = define({
    name,
    sources: [fn],
    run: (structure: unknown) => structure,
    options: compoundOptions(name, options),
  });
  return (...args: unknown[]): unknown =>
    expandCall(definition, args, () => Reflect.apply(fn, undefined, args));
}

/** What a compound can be told. */
export type CompoundOptions = Pick<TaskOptions, 'version'>;

/** Its own task only hands a structure on: nothing of it can be slow, or go wrong. */
function compoundOptions(name: string, options: TaskOptions): CompoundOptions {
  const other = Object.keys(options).find((each) => each !== 'version');
  if (other === undefined) return options;
  throw new JugqError(
    'USAGE',
    `compound ${name}: there is no option ${other}, only version: give it to the task functions inside`,
  );
}

/** A worker that imports the jugfile has no use for what a compound is made of. */
function expandCall(
  definition: Definition,
  args: readonly unknown[],
  expand: () => unknown,
): unknown {
  const evaluation = currentEvaluation.getStore();
  if (evaluation !== undefined && evaluation.recorder === undefined)
    return new TaskHandle(definition, undefined, args);
  return plannerFor('compound').compound(definition, args, expand);
}

/**
 * Who answers while a jugfile is evaluated.
 *
 * @param name - of the function that asks
 * @throws JugqError `TASK_OUTSIDE_PLAN`
 */
export function plannerFor(name: string): Planner {
  const attempt = currentAttempt.getStore();
  if (attempt !== undefined) {
    throw new JugqError(
      'TASK_OUTSIDE_PLAN',
      `${name}() was called inside the running task ${attempt.taskId}: a task gets values as arguments: pass the task to it in the jugfile`,
    );
  }
  const planner = currentEvaluation.getStore()?.planner;
  if (planner !== undefined) return planner;
  throw new JugqError(
    'TASK_OUTSIDE_PLAN',
    `${name}() was called outside a jugfile: it works while jugq reads one: in a program use load() and result() of a connection`,
  );
}
