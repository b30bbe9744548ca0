/** What a value inside the arguments of a task stands for, when it does not stand for itself. */

export type Identity =
  | { readonly kind: 'task'; readonly id: string }
  | { readonly kind: 'function'; readonly name: string }
  /** A part of a task's result: keys, stand-ins for keys, and functions that were applied on the way. */
  | { readonly kind: 'part'; readonly of: string; readonly path: readonly unknown[] }
  /** A value that waits for tasks, which count, too. */
  | { readonly kind: 'after'; readonly value: unknown; readonly tasks: readonly unknown[] }
  /** Nothing of its own: just this value. */
  | { readonly kind: 'value'; readonly value: unknown }
  /** Something known by a digest of its content; `tag` says what, for example `file`. */
  | { readonly kind: 'digest'; readonly tag: string; readonly digest: string }
  /** Something that does not count. */
  | { readonly kind: 'nothing' };

/** Tells what an object or a function inside an argument stands for; undefined: for itself. */
export type Identify = (value: object) => Identity | undefined;

/** Key of a method that returns what counts of its object in the identity of a task that takes it. */
export const hashKey: unique symbol = Symbol.for('jugq.hashKey');
