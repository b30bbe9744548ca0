/**
 * Stand-ins: objects that stand in the arguments of a task for a value that is not there yet, or not to be looked at.
 *
 * A stand-in says two things of itself: what counts of it in the hash of a task that takes it, and what is written for it
 * into that task's arguments. Whoever hashes and writes knows no more of it than this.
 */
import { JugqError } from './errors.ts';
import type { TaskId } from './identifiers.ts';
import type { Identity } from './identity.ts';
import type { Reference } from './references.ts';
import type { TaskHandle } from './task.ts';

/** Key of the method that tells what counts of a stand-in. */
export const identify: unique symbol = Symbol('jugq.identify');
/** Key of the method that tells what is written for a stand-in. */
export const refer: unique symbol = Symbol('jugq.refer');
/** Key of the method that names a stand-in in messages, such as "a task of f". */
export const describe: unique symbol = Symbol('jugq.describe');

/** Gives the id of a task, which is declared now if it is not yet. */
export type IdOf = (task: TaskHandle) => TaskId;
/** Gives the place of a task among the dependencies of the one whose arguments are written. */
export type PlaceOf = (task: TaskHandle) => number;

export interface StandInObject {
  [identify](idOf: IdOf): Identity;
  /** Asks for the place of each task that it depends on. */
  [refer](placeOf: PlaceOf): Reference | Instead;
  [describe](): string;
}

/** Says of an object in arguments that this value is to be written in its place. */
export class Instead {
  readonly value: unknown;
  /** The task has dependencies here that it waits for, and whose results it does not read. */
  readonly waits: boolean;

  constructor(value: unknown, waits = false) {
    this.value = value;
    this.waits = waits;
  }
}

/** Whether an object stands for something else. */
export function isStandIn(value: unknown): value is StandInObject {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { readonly [refer]?: unknown })[refer] !== undefined
  );
}

/** Visits the tasks that a stand-in depends on. */
export function visitTasks(value: StandInObject, visit: (task: TaskHandle) => void): void {
  const written = value[refer]((task) => {
    visit(task);
    return 0;
  });
  if (!(written instanceof Instead)) return;
  const items: readonly unknown[] = Array.isArray(written.value) ? written.value : [written.value];
  for (const item of items) if (isStandIn(item)) visitTasks(item, visit);
}

/**
 * Makes every use of a stand-in as if it were its value an error with advice.
 *
 * One Proxy behind the prototype of all of them sees just the properties that a stand-in does not have, so it costs
 * nothing for each. `if (task)` and `===` cannot be caught.
 */
export function refuseUse(prototype: object): void {
  Object.setPrototypeOf(prototype, refusal);
}

const refusal = new Proxy(Object.create(null) as object, {
  get(_target, key, receiver: StandInObject) {
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
  set(_target, key, _value, receiver: StandInObject) {
    throw usedAsValue(receiver, key, 'given a property');
  },
});

const valueSymbols: ReadonlySet<symbol> = new Set([
  Symbol.toPrimitive,
  Symbol.iterator,
  Symbol.asyncIterator,
]);

function usedAsValue(standIn: StandInObject, key: string | symbol, done?: string): JugqError {
  const use =
    done ??
    (key === Symbol.iterator || key === Symbol.asyncIterator
      ? 'iterated'
      : key === Symbol.toPrimitive || key === 'toString' || key === 'valueOf'
        ? 'used in an expression or a text'
        : key === 'toJSON'
          ? 'turned into JSON'
          : `asked for its property ${JSON.stringify(String(key))}`);
  return new JugqError(
    'TASK_USED_AS_VALUE',
    `${standIn[describe]()} was ${use}, but its value is not there while the jugfile is read: pass it to a task function, which gets the value, or take a part of it with pick() or split(), or await value() of it`,
  );
}
