/** What a value inside the arguments of a task stands for, when it does not stand for itself. */

export type Identity =
  | { readonly kind: 'task'; readonly id: string }
  | { readonly kind: 'function'; readonly name: string }
  /** A part of a task's result. */
  | { readonly kind: 'part'; readonly of: string; readonly path: readonly (string | number)[] }
  /** Something known by a digest of its content; `tag` says what, for example `file`. */
  | { readonly kind: 'digest'; readonly tag: string; readonly digest: string }
  /** Something that does not count. */
  | { readonly kind: 'nothing' };

/** Tells what an object or a function inside an argument stands for; undefined: for itself. */
export type Identify = (value: object) => Identity | undefined;

/** Key of a method that returns what counts of its object in the identity of a task that takes it. */
export const hashKey: unique symbol = Symbol.for('jugq.hashKey');
