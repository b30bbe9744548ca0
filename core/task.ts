/**
 * What a jugfile works with: task functions, and the tasks that calls to them declare.
 *
 * The same module serves three situations. While planning, a recording stands in the asynchronous context and a call
 * is written into it. When a worker imports a jugfile there is none, and a call costs one small object: no hashing, no
 * graph. While a task runs, a call is an error.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import type { TaskContext } from './context.ts';
import { JugqError } from './errors.ts';
import { isFunctionName, type TaskId } from './identifiers.ts';
import type { Identity } from './identity.ts';
import type { PlainFunctions } from './plain-functions.ts';
import type { Planner } from './planning.ts';
import { innermostPlace } from './stack.ts';
import {
  describe,
  identify,
  refer,
  refuseUse,
  type IdOf,
  type PlaceOf,
  type StandInObject,
} from './stand-in.ts';
import { readOptions, type ReadOptions, type TaskOptions } from './task-options.ts';

export type { TaskOptions } from './task-options.ts';

declare const result: unique symbol;
declare const part: unique symbol;
declare const runs: unique symbol;

/** Stands for a value of type `T` wherever a task takes an argument. */
export interface StandIn<T> {
  readonly [result]: (x: never) => T;
}

/** The result of a task, or a part of it: see `pick`, `split` and `derive`. */
export interface Part<T> extends StandIn<T> {
  readonly [part]: true;
}

/** A declared call of a task function; stands for its result, of type `T`, wherever a task takes an argument. */
export interface Task<T> extends Part<T> {
  readonly id: string;
}

type Leaf =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | symbol
  | Date
  | RegExp
  | URL
  | ArrayBuffer
  | ArrayBufferView
  | ((...args: never[]) => unknown);

/**
 * What may be passed where a task function takes a `T`: a `T`, a task of one, or a structure with tasks inside. For a
 * function, a task function that runs one.
 */
export type Arg<T> = unknown extends T
  ? T
  : | StandIn<T>
    | (T extends Leaf
        ? T | (T extends (...args: never[]) => unknown ? Runs<T> : never)
        : T extends ReadonlyMap<infer K, infer V>
          ? ReadonlyMap<K, Arg<V>>
          : T extends ReadonlySet<infer V>
            ? ReadonlySet<Arg<V>>
            : { readonly [K in keyof T]: Arg<T[K]> });

type Args<P extends readonly unknown[]> = { [K in keyof P]: Arg<P[K]> };

/** What `T` becomes when each task in it is replaced by its result. */
export type Value<T> =
  T extends StandIn<infer V>
    ? V
    : T extends Leaf
      ? T
      : T extends ReadonlyMap<infer K, infer V>
        ? Map<K, Value<V>>
        : T extends ReadonlySet<infer V>
          ? Set<Value<V>>
          : { -readonly [K in keyof T]: Value<T[K]> };

/** A task function that runs an `F`, which is what tasks get that take it as an argument. */
export interface Runs<F> {
  readonly [runs]: F;
}

/** What a task function runs; a plain function itself. */
export type Plain<F> = F extends Runs<infer G> ? G : F;
/**
 * What a type is of a function that the compiler does not know yet: a call of `task` among the arguments of another
 * function is looked at last, and until then nothing must be refused.
 */
export type Known<F, T> = CallableFunction extends F ? unknown : T;
/** The first parameter. */
export type Parameter<F> = Known<
  F,
  Plain<F> extends (first: infer A, ...rest: never[]) => unknown ? A : never
>;
/** What a plain function returns, or what a task function runs. */
export type Returned<F> = Plain<F> extends (...args: never[]) => infer R ? R : never;

/** A function whose calls declare tasks. */
export interface TaskFunction<P extends readonly unknown[], R> extends Runs<(...args: P) => R> {
  (...args: Args<P>): Task<Awaited<R>>;
}

/** A function of the user's. */
export type Source = (...args: never[]) => unknown;

/** A task function as jugq sees it. */
export interface Definition extends ReadOptions {
  readonly name: string;
  /** What a worker calls. */
  readonly run: (...args: never[]) => unknown;
  /** What the user wrote; its text says which version of the code made a result. */
  readonly sources: readonly Source[];
  /** Stack line of the call of `task()`. */
  readonly declaredAt: string;
}

/** Where declarations go while planning. */
export interface Recorder {
  /** Writes the call down; the same call again is the same task. */
  declare(definition: Definition, args: readonly unknown[]): Declared;
}

/** A task that a recorder has written down. */
export interface Declared {
  readonly position: number;
  readonly id: TaskId;
}

/** One import of one bundle: in a thread that imports several, each has its functions by itself. */
export interface Evaluation {
  readonly definitions: Map<string, Definition>;
  /** Absent where a worker imports the jugfile only for its functions. */
  readonly recorder?: Recorder;
  readonly planner?: Planner;
  /** Functions of the bundle that any thread finds by name. */
  readonly plainFunctions?: PlainFunctions;
}

/** The import that this asynchronous context belongs to. */
export const currentEvaluation = new AsyncLocalStorage<Evaluation>();
/** The task that runs in this asynchronous context. */
export const currentAttempt = new AsyncLocalStorage<{
  readonly taskId: TaskId;
  readonly context: () => TaskContext;
}>();

const definitionKey = Symbol.for('jugq.definition');

/** A task, as an object. */
export class TaskHandle implements StandInObject {
  readonly definition: Definition;
  #declared: Declared | undefined;
  /** Kept only where there is no recording, in case that a value of the task is asked for. */
  #args: readonly unknown[] | undefined;

  constructor(definition: Definition, declared: Declared | undefined, args?: readonly unknown[]) {
    this.definition = definition;
    this.#declared = declared;
    this.#args = args;
  }

  get id(): TaskId {
    return this.declared.id;
  }

  /** Where it stands in the recording. */
  get declared(): Declared {
    if (this.#declared === undefined) {
      throw new JugqError(
        'TASK_OUTSIDE_PLAN',
        `a task of ${this.definition.name} has no id here: it was declared while a worker imported the jugfile: use it only as an argument of another task`,
      );
    }
    return this.#declared;
  }

  /** The arguments of a task that has not been declared yet. */
  get undeclared(): readonly unknown[] | undefined {
    return this.#declared === undefined ? this.#args : undefined;
  }

  /** Declares it after all; the tasks among its arguments must be declared by now. */
  declareIn(recorder: Recorder): void {
    if (this.#args === undefined) return;
    this.#declared ??= recorder.declare(this.definition, this.#args);
    this.#args = undefined;
  }

  [identify](idOf: IdOf): Identity {
    return { kind: 'task', id: idOf(this) };
  }

  [refer](placeOf: PlaceOf): number {
    return placeOf(this);
  }

  [describe](): string {
    return `a task of ${this.definition.name}`;
  }

  [inspect.custom](): string {
    return `Task ${this.#declared?.id ?? this.definition.name}`;
  }
}

refuseUse(TaskHandle.prototype);

/**
 * Makes a task function: a call declares a task instead of running `fn`.
 *
 * @param fn - runs on a worker, with each task among its arguments replaced by that task's result; may be async. Its
 *   name is part of the identity of its tasks; give one as the first argument where the function has none.
 * @throws JugqError `FUNCTION_UNNAMED` if there is no usable name; `USAGE` for a bad option
 */
export function task<P extends readonly unknown[], R>(
  fn: (...args: P) => R,
  options?: TaskOptions,
): TaskFunction<P, R>;
export function task<P extends readonly unknown[], R>(
  name: string,
  fn: (...args: P) => R,
  options?: TaskOptions,
): TaskFunction<P, R>;
/** Both forms of the call. */
export function task(...call: readonly unknown[]): unknown {
  const { name, fn, options } = readCall('task', call);
  const definition = define({ name, run: fn, sources: [fn], options });
  const declare = (...args: unknown[]): TaskHandle => declareCall(definition, args);
  Object.defineProperty(declare, 'name', { value: definition.name });
  Object.defineProperty(declare, definitionKey, { value: definition });
  return declare;
}

/** The definition behind a task function; undefined for anything else. */
export function definitionOf(value: unknown): Definition | undefined {
  return typeof value === 'function' && Object.hasOwn(value, definitionKey)
    ? (value as unknown as { [definitionKey]: Definition })[definitionKey]
    : undefined;
}

/** Declares a call where there is a recording; else only notes it. */
export function declareCall(definition: Definition, args: readonly unknown[]): TaskHandle {
  const attempt = currentAttempt.getStore();
  if (attempt !== undefined) {
    throw new JugqError(
      'TASK_OUTSIDE_PLAN',
      `${definition.name}() was called inside the running task ${attempt.taskId}: a task cannot declare tasks: call the plain function, or declare the task in the jugfile and pass it in`,
    );
  }
  const recorder = currentEvaluation.getStore()?.recorder;
  if (recorder === undefined) return new TaskHandle(definition, undefined, args);
  return new TaskHandle(definition, recorder.declare(definition, args));
}

/**
 * Takes a call apart that makes a function of jugq: `[name,] function[, options]`.
 *
 * @throws JugqError `USAGE` if there is no function
 */
export function readCall(
  what: string,
  call: readonly unknown[],
): { name: string; fn: Definition['run']; options: TaskOptions } {
  const named = typeof call[0] === 'string';
  const fn = named ? call[1] : call[0];
  const options = (named ? call[2] : call[1]) as TaskOptions | undefined;
  if (typeof fn !== 'function') {
    throw new JugqError(
      'USAGE',
      `${what}(): expected a function, got ${inspect(fn, { depth: 0 })}: write ${what}(function name(…) { … })`,
    );
  }
  const name = named ? (call[0] as string) : fn.name;
  return { name, fn: fn as Definition['run'], options: options ?? {} };
}

/**
 * Makes a definition and enters it into those of the evaluation.
 *
 * @throws JugqError `FUNCTION_UNNAMED`, `FUNCTION_CLASH`, `USAGE` for a bad option
 */
export function define(made: {
  readonly name: string;
  readonly run: Definition['run'];
  readonly sources: readonly Source[];
  readonly options: TaskOptions;
}): Definition {
  const { name, run, sources, options } = made;
  const declaredAt = callerLine();
  if (!isFunctionName(name)) {
    const mend = `write task(function name(…) { … }) or task('name', …), with a name of letters, digits, "_", "-" or "/"`;
    throw new JugqError(
      'FUNCTION_UNNAMED',
      name === ''
        ? `a function without a name cannot be a task function: ${declaredAt}: ${mend}`
        : `${JSON.stringify(name)} cannot name a task function: ${declaredAt}: ${mend}`,
    );
  }
  const evaluation = currentEvaluation.getStore();
  const definitions = evaluation?.definitions;
  const known = definitions?.get(name);
  const isOther = known?.sources.some((each, at) => each !== sources[at]) ?? false;
  if (known !== undefined && isOther) throw twoFunctions(name, known.declaredAt, declaredAt);
  evaluation?.plainFunctions?.requireSame(name, sources, declaredAt);
  const definition: Definition = {
    name,
    run,
    sources,
    ...readOptions(name, options),
    declaredAt,
  };
  definitions?.set(name, definition);
  return definition;
}

/** Tasks of both would have one identity. */
export function twoFunctions(name: string, one: string, other: string): JugqError {
  return new JugqError(
    'FUNCTION_CLASH',
    `two different functions are both named ${name}: ${one} and ${other}: rename one, or give it a name with task('other-name', …)`,
  );
}

/** The first place of the stack that is outside of jugq: where the user called `task()` and the like. */
export function callerLine(): string {
  return innermostPlace(new Error().stack ?? '') ?? 'somewhere';
}
