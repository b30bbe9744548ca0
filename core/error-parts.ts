/**
 * Errors as values, taken apart and put together again.
 *
 * The built-in classes of errors keep their class, message, stack, cause (and `errors`), and every enumerable property
 * that was added, such as `code`. A class of the user's own is no value, as any class. What Node itself hides on its
 * errors behind symbols and non-enumerable properties is not part of the value.
 */
const classes = {
  Error,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  AggregateError,
};

export type ErrorKind = keyof typeof classes;

/** Properties of an error that are not enumerable and yet belong to it. */
const hiddenKeys = ['name', 'message', 'stack', 'cause', 'errors'] as const;

/** An error in pieces; `hidden` and `shown` are own properties that are not or are enumerable. */
export interface ErrorParts {
  readonly kind: ErrorKind;
  readonly hidden: Readonly<Record<string, unknown>>;
  readonly shown: Readonly<Record<string, unknown>>;
}

/** The kind of error that each built-in prototype makes. */
export const errorKinds: ReadonlyMap<Error, ErrorKind> = new Map(
  Object.entries(classes).map(([kind, { prototype }]) => [prototype, kind as ErrorKind]),
);

/**
 * The pieces of an error of a built-in class.
 *
 * `shown` is a plain object with the same enumerable properties, accessors and symbols included, so that whoever walks
 * it refuses them as in any object.
 */
export function takeErrorApart(error: Error, kind: ErrorKind): ErrorParts {
  const hidden: Record<string, unknown> = {};
  const shown = {};
  for (const key of hiddenKeys) {
    const property = Object.getOwnPropertyDescriptor(error, key);
    // Newer engines have the stack behind an accessor, so it is read through the error.
    if (property?.enumerable === false) hidden[key] = error[key as keyof Error];
  }
  for (const key of Reflect.ownKeys(error)) {
    const property = Object.getOwnPropertyDescriptor(error, key);
    if (property?.enumerable === true) Object.defineProperty(shown, key, property);
  }
  return { kind, hidden, shown };
}

/** The error of these pieces; `kind` may come from anywhere. */
export function putErrorTogether(parts: {
  readonly kind: unknown;
  readonly hidden: object;
  readonly shown: object;
}): Error {
  const error = newError(parts.kind);
  for (const key of hiddenKeys) Reflect.deleteProperty(error, key);
  define(error, parts.hidden, false);
  define(error, parts.shown, true);
  return error;
}

function newError(kind: unknown): Error {
  if (kind === 'AggregateError') return new AggregateError([]);
  if (typeof kind === 'string' && Object.hasOwn(classes, kind)) {
    return new classes[kind as Exclude<ErrorKind, 'AggregateError'>]();
  }
  throw new TypeError(`expected a kind of error, got ${String(kind)}`);
}

function define(error: Error, properties: object, enumerable: boolean): void {
  for (const [key, value] of Object.entries(properties)) {
    Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
  }
}
