/**
 * The one error class of jugq, and the closed list of its codes.
 *
 * A message reads *what happened: to which task or file: what to do*. Only `cli/main.ts` turns codes into exit
 * statuses; everything else compares `code` and never the text.
 */
export type ErrorCode =
  | 'USAGE'
  | 'SETTINGS_INVALID'
  | 'JUGFILE_NOT_FOUND'
  | 'JUGFILE_SYNTAX'
  | 'JUGFILE_IMPORT'
  | 'JUGFILE_THREW'
  | 'FUNCTION_UNNAMED'
  | 'FUNCTION_CLASH'
  | 'FUNCTION_MISSING'
  | 'ARGUMENT_NOT_HASHABLE'
  | 'VALUE_NOT_STORABLE'
  | 'VALUE_CORRUPT'
  | 'PART_MISSING'
  | 'FILE_NOT_FOUND'
  | 'TASK_USED_AS_VALUE'
  | 'TASK_OUTSIDE_PLAN'
  | 'UNKNOWN_EXPORT'
  | 'UNKNOWN_RUN'
  | 'AMBIGUOUS_ID'
  | 'RESULT_MISSING'
  | 'PARKED'
  | 'TIMED_OUT'
  | 'INTERRUPTED'
  | 'SERVER_FULL'
  | 'SERVER_UNREACHABLE'
  | 'SERVER_REFUSED'
  | 'SERVER_TOO_OLD'
  | 'SERVER_NO_JETSTREAM'
  | 'SERVER_NOT_INSTALLED'
  | 'SERVER_ON_OTHER_HOST'
  | 'SERVER_FAILED'
  | 'STREAM_MISMATCH'
  | 'FORMAT_UNKNOWN'
  | 'BUG';

/** Fields that an error carries beside its message; each is named in the code's documentation where it is thrown. */
export type ErrorFields = Readonly<Record<string, unknown>>;

/** Anything that goes wrong outside a task, said so that a user can act on it. */
export class JugqError extends Error {
  readonly code: ErrorCode;
  readonly fields: ErrorFields;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; fields?: ErrorFields } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.name = 'JugqError';
    this.code = code;
    this.fields = options.fields ?? {};
  }
}

/** Whether `error` is a JugqError, of the given code if one is given. */
export function isJugqError(error: unknown, code?: ErrorCode): error is JugqError {
  return error instanceof JugqError && (code === undefined || error.code === code);
}

/**
 * Fails on a broken invariant: always a bug of jugq, never of its user.
 *
 * @throws JugqError `BUG`
 */
export function invariant(condition: unknown, story: string): asserts condition {
  if (!condition) throw new JugqError('BUG', `broken invariant: ${story}: please report this`);
}
