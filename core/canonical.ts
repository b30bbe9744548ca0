/**
 * Identity of a task: the hash of its function's name, the function's version and its arguments.
 *
 * Guarantees: equal values hash equal in every process and on every platform; values that differ have different
 * pre-images. `test/core/vectors.ts` pins hashes; a change that moves one needs a new `formVersion`, and makes every
 * result that was stored before unreachable.
 *
 * The pre-image is `formVersion` (one byte), the name (text), the version (value), and the arguments: their count and
 * their values, where trailing undefined arguments are left out. `canonical-form.ts` says how each value is written.
 */
import { pathOf, writeAt, writeValue, type Form } from './canonical-form.ts';
import { JugqError } from './errors.ts';
import { FormBytes } from './form-bytes.ts';
import type { Identify } from './identity.ts';

export { hashKey, type Identify, type Identity } from './identity.ts';

const formVersion = 1;

/** Waits between calls. A call that starts inside another, from a `[hashKey]()`, finds none and makes its own. */
let idleBytes: FormBytes | undefined = new FormBytes();

/**
 * The hash of a task, 20 bytes.
 *
 * @throws JugqError `ARGUMENT_NOT_HASHABLE`; field `path`
 */
export function hashTask(
  functionName: string,
  version: number | string | undefined,
  args: readonly unknown[],
  identify: Identify,
): Uint8Array {
  const bytes = idleBytes ?? new FormBytes();
  idleBytes = undefined;
  const form: Form = { bytes, identify, functionName, path: [], containers: [args] };
  try {
    bytes.tag(formVersion);
    bytes.text(functionName);
    writeValue(form, version);
    writeArguments(form, args);
    return bytes.digest();
  } catch (error) {
    bytes.clear();
    throw error instanceof JugqError ? error : unreadable(form, error);
  } finally {
    idleBytes = bytes;
  }
}

function writeArguments(form: Form, args: readonly unknown[]): void {
  let count = args.length;
  while (count > 0 && args[count - 1] === undefined) count--;
  form.bytes.length(count);
  for (let i = 0; i < count; i++) writeAt(form, i, args[i]);
}

function unreadable(form: Form, cause: unknown): JugqError {
  const path = pathOf(form);
  return new JugqError(
    'ARGUMENT_NOT_HASHABLE',
    `an argument cannot be read: ${path} of function ${form.functionName}: ${String(cause)}: mend what throws this`,
    { cause, fields: { path, functionName: form.functionName } },
  );
}
