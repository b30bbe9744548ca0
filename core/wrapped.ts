/** Arguments with a say of their own in identity, order or reading: `noHash`, `literal`, `after` and `lazy`. */
import { inspect } from 'node:util';
import { JugqError } from './errors.ts';
import { splitTaskId } from './identifiers.ts';
import type { Identity } from './identity.ts';
import type { PartList } from './part-list.ts';
import { ConstantHandle, PartHandle } from './parts.ts';
import type { LazyReference } from './references.ts';
import { literalName, stageRuns } from './stages.ts';
import {
  describe,
  identify,
  Instead,
  isStandIn,
  refer,
  refuseUse,
  visitTasks,
  type IdOf,
  type PlaceOf,
  type StandInObject,
} from './stand-in.ts';
import {
  callerLine,
  declareCall,
  TaskHandle,
  type Definition,
  type Part,
  type StandIn,
  type Value,
} from './task.ts';

/**
 * A value that does not count in the identity of the task that takes it, such as how many threads to use: whatever it
 * is, the task is the same. Tasks in it are dependencies all the same.
 */
export function noHash<T>(x: T): StandIn<Value<T>>;
/** As seen from within. */
export function noHash(x: unknown): unknown {
  return new UncountedHandle(x);
}

/**
 * A large value that is stored once, however many tasks take it: it becomes a task of its own, `jugq/literal`, which
 * gives the value back. A task that takes a value so is another one than that which takes it as it is.
 *
 * @throws JugqError `USAGE` for a task, whose result is stored once anyway; `ARGUMENT_NOT_HASHABLE`, `VALUE_NOT_STORABLE`
 */
export function literal<T>(x: T): StandIn<Value<T>>;
/** As seen from within. */
export function literal(x: unknown): unknown {
  if (isStandIn(x)) {
    throw new JugqError(
      'USAGE',
      `literal(): expected a value, got ${x[describe]()}: ${callerLine()}: pass the task itself, whose result is stored once anyway`,
    );
  }
  return new LiteralHandle(declareCall(literalDefinition, [x]));
}

/** Tasks, parts of tasks, or lists of them. */
export type Tasks = Part<unknown> | PartList<unknown> | readonly Tasks[];

/**
 * A value for a task that must not run before `tasks` are finished, though it does not take their results: they have
 * written a file that it reads, say. They count in its identity.
 *
 * @throws JugqError `USAGE` if one of `tasks` is none
 */
export function after<T>(x: T, ...tasks: readonly Tasks[]): StandIn<Value<T>>;
/** As seen from within. */
export function after(x: unknown, ...tasks: readonly unknown[]): unknown {
  return new LateHandle(x, tasks.flatMap(standInsIn));
}

/** What a task gets for `lazy(x)`. */
export interface Lazy<T> {
  /** Id of the task whose result it is, or a part of it. */
  readonly id: string;
  /** Reads the value: anew and as a copy of its own each time, so that it need not stay in memory. */
  load(): Promise<T>;
  /**
   * Reads a text or an array of bytes piece by piece, of which few are in memory at a time: the bytes of the text in UTF-8,
   * or those of the array as they lie in memory. A part of a result is loaded as a whole first.
   *
   * Pieces are given as they come; that they were what was stored is known at the end, and else an error then.
   *
   * @throws JugqError `USAGE` for any other value; `VALUE_CORRUPT`, `RESULT_MISSING`
   */
  stream(this: Lazy<Streamed>): AsyncIterable<Uint8Array>;
}

/** What can be read piece by piece. */
export type Streamed = string | ArrayBuffer | ArrayBufferView;

/**
 * A result that the task loads when it wants it, and as often: for many or large ones, of which few are to be in memory
 * at a time. The task waits for it like for any other.
 *
 * @throws JugqError `USAGE` for anything but a task or a part of one
 */
export function lazy<T>(from: Part<T>): StandIn<Lazy<T>>;
/** As seen from within. */
export function lazy(from: unknown): unknown {
  if (from instanceof TaskHandle || from instanceof PartHandle) return new LazyHandle(from);
  const got =
    from instanceof ConstantHandle ? 'what is known already' : inspect(from, { depth: 0 });
  throw new JugqError(
    'USAGE',
    `lazy(): expected a task or a part of one, got ${got}: ${callerLine()}: pass the value itself`,
  );
}

/** The function of the tasks that literals are. */
export const literalDefinition: Definition = {
  name: literalName,
  run: stageRuns[literalName],
  sources: [],
  retries: 0,
  timeoutMs: undefined,
  keep: true,
  queue: 'default',
  version: undefined,
  declaredAt: 'literal()',
};

class UncountedHandle implements StandInObject {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  [identify](): Identity {
    return { kind: 'nothing' };
  }

  [refer](): Instead {
    return new Instead(this.#value);
  }

  [describe](): string {
    return 'a value in noHash()';
  }
}
refuseUse(UncountedHandle.prototype);

class LiteralHandle implements StandInObject {
  readonly #task: TaskHandle;

  constructor(task: TaskHandle) {
    this.#task = task;
  }

  /** Its content, not that it travels as a task. */
  [identify](idOf: IdOf): Identity {
    return { kind: 'digest', tag: 'literal', digest: splitTaskId(idOf(this.#task)).hash };
  }

  [refer](placeOf: PlaceOf): number {
    return placeOf(this.#task);
  }

  [describe](): string {
    return 'a literal()';
  }
}
refuseUse(LiteralHandle.prototype);

class LateHandle implements StandInObject {
  readonly #value: unknown;
  readonly #tasks: readonly StandInObject[];

  constructor(value: unknown, tasks: readonly StandInObject[]) {
    this.#value = value;
    this.#tasks = tasks;
  }

  [identify](): Identity {
    return { kind: 'after', value: this.#value, tasks: this.#tasks };
  }

  [refer](placeOf: PlaceOf): Instead {
    for (const each of this.#tasks) visitTasks(each, placeOf);
    return new Instead(this.#value, true);
  }

  [describe](): string {
    return 'a value in after()';
  }
}
refuseUse(LateHandle.prototype);

class LazyHandle implements StandInObject {
  readonly #of: TaskHandle | PartHandle;

  constructor(of: TaskHandle | PartHandle) {
    this.#of = of;
  }

  /** A part by a key that no other part has. */
  [identify](idOf: IdOf): Identity {
    const whole = this.#of[identify](idOf);
    const of = whole.kind === 'task' ? whole.id : whole.kind === 'part' ? whole.of : '';
    return { kind: 'part', of, path: [...(whole.kind === 'part' ? whole.path : []), ['lazy']] };
  }

  [refer](placeOf: PlaceOf): LazyReference {
    const lazy = this.#of[refer](placeOf);
    const task = this.#of instanceof PartHandle ? PartHandle.taskOf(this.#of) : this.#of;
    // Nobody reads it where the task is only looked for.
    return { lazy, id: task.undeclared === undefined ? task.id : '' };
  }

  [describe](): string {
    return 'a lazy() result';
  }
}
refuseUse(LazyHandle.prototype);

function standInsIn(x: unknown): StandInObject[] {
  if (x instanceof UncountedHandle || x instanceof LazyHandle) {
    throw new JugqError(
      'USAGE',
      `after(): expected tasks to wait for, got ${x[describe]()}: ${callerLine()}: give the task itself`,
    );
  }
  if (isStandIn(x)) return [x];
  if (Array.isArray(x)) return x.flatMap(standInsIn);
  throw new JugqError(
    'USAGE',
    `after(): expected tasks to wait for, got ${inspect(x, { depth: 0 })}: ${callerLine()}: give the value first, then the tasks`,
  );
}
