/** Arguments with a say of their own in identity or order: `noHash`, `literal` and `after`. */
import { inspect } from 'node:util';
import { JugqError } from './errors.ts';
import { splitTaskId } from './identifiers.ts';
import type { Identity } from './identity.ts';
import type { PartList } from './part-list.ts';
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

const literalDefinition: Definition = {
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
    return new Instead(this.#value);
  }

  [describe](): string {
    return 'a value in after()';
  }
}
refuseUse(LateHandle.prototype);

function standInsIn(x: unknown): StandInObject[] {
  if (x instanceof UncountedHandle) {
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
