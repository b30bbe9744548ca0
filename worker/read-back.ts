/** Values in the places of references, where the inputs are at hand. */
import { decodeArguments, decodeValue } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import { functionNamed } from '../core/plain-functions.ts';
import { isFile, isLazy, resolveReference, type References } from '../core/references.ts';
import type { Evaluation, Source } from '../core/task.ts';

/**
 * Puts values in the places of references.
 *
 * @param bytes - one argument, encoded
 * @param inputs - CBOR of the results that it refers to, by place
 * @param evaluation - knows the functions by which parts are derived
 * @throws JugqError `USAGE` for a function in it; `PART_MISSING`
 */
export function readBack(
  bytes: Uint8Array,
  inputs: readonly (Uint8Array | undefined)[],
  evaluation: Evaluation | undefined,
): unknown {
  const from: References = {
    input: decodedOnce(inputs),
    functionNamed: (name) => functionIn(evaluation, name),
  };
  const [value] = decodeArguments(bytes, (reference) => {
    if (typeof reference !== 'string' && isFile(reference)) return reference.path;
    if (typeof reference !== 'string' && !isLazy(reference))
      return resolveReference(reference, from);
    const what = typeof reference === 'string' ? `${reference} is a function` : 'it is lazy()';
    throw new JugqError(
      'USAGE',
      `value(): ${what}, which has no value: pass tasks, or a structure of them`,
    );
  });
  return value;
}

/**
 * The value of the input at a place, decoded when it is first asked for: who takes many parts of one gets all of one copy.
 *
 * @param inputs - CBOR, by place
 */
export function decodedOnce(
  inputs: readonly (Uint8Array | undefined)[],
): (place: number) => unknown {
  const decoded = new Map<number, unknown>();
  return (place) => {
    if (!decoded.has(place)) {
      const bytes = inputs[place];
      if (bytes === undefined) throw new JugqError('BUG', `no input at ${place.toString()}`);
      decoded.set(place, decodeValue(bytes));
    }
    return decoded.get(place);
  };
}

function functionIn(evaluation: Evaluation | undefined, name: string): Source {
  const found = evaluation && functionNamed(evaluation, name);
  if (found !== undefined) return found;
  throw new JugqError('BUG', `the function ${name} was there when its task was declared`);
}
