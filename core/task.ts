/**
 * What a jugfile works with: task functions, and the tasks that calls to them declare.
 *
 * The same module serves three situations. While planning, a recording stands in the asynchronous context and a call
 * is written into it. When a worker imports a jugfile there is none, and a call costs one small object: no hashing, no
 * graph. While a task runs, a call is an error.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { inspect } from 'node:util';
import { parseDuration } from './duration.ts';
import type { TaskContext } from './context.ts';
import { JugqError } from './errors.ts';
import { isFunctionName, type TaskId } from './identifiers.ts';
import type { Planner } from './planning.ts';
import { jugfileScheme, jugfileSourcePath } from './stack.ts';

declare const result: unique symbol;

/** A declared call of a task function; stands for its result, of type `T`, wherever a task takes an argument. */
export interface Task<T> {
  readonly id: string;
  readonly [result]: (x: never) => T;
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

declare const plain: unique symbol;

/** A task function among the arguments of a task arrives there as the plain function `F`. */
export interface Plain<F> {
  readonly [plain]: F;
}

/** What may be passed where a task function takes a `T`: a `T`, a task of one, or a structure with tasks inside. */
export type Arg<T> =
  | Task<T>
  | (T extends (...args: never[]) => unknown
      ? T | Plain<T>
      : T extends Leaf
        ? T
        : T extends ReadonlyMap<infer K, infer V>
          ? ReadonlyMap<K, Arg<V>>
          : T extends ReadonlySet<infer V>
            ? ReadonlySet<Arg<V>>
            : { readonly [K in keyof T]: Arg<T[K]> });

type Args<P extends readonly unknown[]> = { [K in keyof P]: Arg<P[K]> };

/** What `T` becomes when each task in it is replaced by its result. */
export type Value<T> =
  T extends Task<infer V>
    ? V
    : T extends Leaf
      ? T
      : T extends ReadonlyMap<infer K, infer V>
        ? Map<K, Value<V>>
        : T extends ReadonlySet<infer V>
          ? Set<Value<V>>
          : { -readonly [K in keyof T]: Value<T[K]> };

/** A function whose calls declare tasks. */
export interface TaskFunction<P extends readonly unknown[], R> extends Plain<(...args: P) => R> {
  (...args: Args<P>): Task<Awaited<R>>;
}

export interface TaskOptions {
  /** How many times a failed attempt is tried again; default 0. */
  readonly retries?: number;
  /** Longest an attempt may take: milliseconds, or text such as `10m`; default: no limit. */
  readonly timeout?: number | string;
  /** The queue that workers take the tasks from; default `default`. */
  readonly queue?: string;
  /** Part of the identity of the tasks: another version is another task. */
  readonly version?: number | string;
}

/** A task function as jugq sees it. */
export interface Definition {
  readonly name: string;
  /** What a worker calls. */
  readonly run: (...args: never[]) => unknown;
  /** What the user wrote; its text says which version of the code made a result. */
  readonly source: (...args: never[]) => unknown;
  readonly retries: number;
  readonly timeoutMs: number | undefined;
  readonly queue: string;
  readonly version: number | string | undefined;
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
}

/** The import that this asynchronous context belongs to. */
export const currentEvaluation = new AsyncLocalStorage<Evaluation>();
/** The task that runs in this asynchronous context. */
export const currentAttempt = new AsyncLocalStorage<{
  readonly taskId: TaskId;
  readonly context: () => TaskContext;
}>();

const definitionKey = Symbol.for('jugq.definition');

/** A task, as an object. Everything that is not declared here is refused by the prototype's prototype, see below. */
export class TaskHandle {
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

  [inspect.custom](): string {
    return `Task ${this.#declared?.id ?? this.definition.name}`;
  }
}

/**
 * One Proxy behind the prototype of every task: it sees just the properties that a task does not have, so that using
 * a task as if it were its value is an error with advice, at no cost per task. `if (task)` and `===` cannot be caught.
 */
Object.setPrototypeOf(
  TaskHandle.prototype,
  new Proxy(Object.create(null) as object, {
    get(_target, key, receiver: TaskHandle) {
      // `await`, `instanceof`, inspection and test tools look these up on any object, without treating it as a value.
      if (
        key === 'then' ||
        key === 'constructor' ||
        (typeof key === 'symbol' && !valueSymbols.has(key))
      )
        return undefined;
      throw usedAsValue(receiver, key);
    },
    has() {
      return false;
    },
  }),
);

const valueSymbols: ReadonlySet<symbol> = new Set([
  Symbol.toPrimitive,
  Symbol.iterator,
  Symbol.asyncIterator,
]);

function usedAsValue(handle: TaskHandle, key: string | symbol): JugqError {
  const use =
    key === Symbol.iterator || key === Symbol.asyncIterator
      ? 'iterated'
      : key === Symbol.toPrimitive || key === 'toString' || key === 'valueOf'
        ? 'used in an expression or a text'
        : key === 'toJSON'
          ? 'turned into JSON'
          : `asked for its property ${JSON.stringify(String(key))}`;
  return new JugqError(
    'TASK_USED_AS_VALUE',
    `a task of ${handle.definition.name} was ${use}, but its value is not there while the jugfile is read: pass the task to another task function, which gets the value`,
  );
}

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
  const definition = define({ name, run: fn, source: fn, options });
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

function declareCall(definition: Definition, args: readonly unknown[]): TaskHandle {
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
  readonly source: Definition['source'];
  readonly options: TaskOptions;
}): Definition {
  const { name, run, source, options } = made;
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
  const definitions = currentEvaluation.getStore()?.definitions;
  const known = definitions?.get(name);
  if (known !== undefined && known.source !== source) {
    throw new JugqError(
      'FUNCTION_CLASH',
      `two different functions are both named ${name}: ${known.declaredAt} and ${declaredAt}: rename one, or give it a name with task('other-name', …)`,
    );
  }
  const definition: Definition = {
    name,
    run,
    source,
    retries: wholeNumber(name, 'retries', options.retries ?? 0),
    timeoutMs: timeoutMs(name, options.timeout),
    queue: queueName(name, options.queue ?? 'default'),
    version: options.version,
    declaredAt,
  };
  definitions?.set(name, definition);
  return definition;
}

function wholeNumber(name: string, option: string, value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw badOption(name, option, 'a whole number from 0', value);
}

function timeoutMs(name: string, timeout: number | string | undefined): number | undefined {
  if (timeout === undefined) return undefined;
  if (typeof timeout === 'string') return parseDuration(timeout);
  if (Number.isFinite(timeout) && timeout > 0) return Math.ceil(timeout);
  throw badOption(name, 'timeout', 'milliseconds above 0 or text such as "10m"', timeout);
}

function queueName(name: string, queue: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(queue)) return queue;
  throw badOption(name, 'queue', '1 to 64 letters, digits, "_" or "-"', queue);
}

function badOption(name: string, option: string, expected: string, got: unknown): JugqError {
  return new JugqError(
    'USAGE',
    `task ${name}: option ${option}: expected ${expected}, got ${inspect(got, { depth: 0 })}`,
  );
}

/** The first line of the stack that is outside of these modules: where the user called `task()` and the like. */
export function callerLine(): string {
  const lines = (new Error().stack ?? '').split('\n').slice(1);
  const line = lines.find(
    (each) => !each.includes('core/task.') && !each.includes('core/planning.'),
  );
  const place = line?.trim().replace(/^at /, '') ?? 'somewhere';
  // At the top level of a module there is no function to name.
  const bare = /^(?:<anonymous>|Object\.<anonymous>) \((.*)\)$/.exec(place)?.[1] ?? place;
  return jugfileSourcePath(bare) ?? bare.replace(`(${jugfileScheme}`, '(');
}
