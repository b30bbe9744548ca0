/** What a task gets for `lazy(x)`: a way to a value that is read when it is wanted. */
import { decodeValue } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import { resolveReference, type LazyReference, type References } from '../core/references.ts';
import type { Lazy } from '../core/wrapped.ts';
import type { ReadResults } from './thread-link.ts';

/**
 * The handle of a result.
 *
 * @param from - the inputs and functions that a part of it needs
 */
export function lazyResult(
  { lazy, id }: LazyReference,
  from: References,
  read: ReadResults,
): Lazy<unknown> {
  const place = typeof lazy === 'number' ? lazy : lazy.of;
  return {
    id,
    async load() {
      const [bytes] = await read([id as TaskId]);
      if (bytes === undefined) {
        throw new JugqError(
          'RESULT_MISSING',
          `${id} has no result any more: it was invalidated while a task ran that loads it: it will run again`,
        );
      }
      const input = (at: number): unknown => (at === place ? decodeValue(bytes) : from.input(at));
      return resolveReference(lazy, { ...from, input });
    },
  };
}
