/**
 * Records that cannot be read here, because a newer version of jugq or another tool wrote them: each is told of once, and
 * then left alone. What it concerns goes on without it.
 */
import { isUnreadable } from '../core/wire.ts';

export class Unreadable {
  readonly #tell: (message: string) => void;
  readonly #told = new Set<string>();

  constructor(tell: (message: string) => void) {
    this.#tell = tell;
  }

  /**
   * What `decode` gives.
   *
   * @param place - bucket and key of the record
   * @returns undefined if it is not readable here; that is told, unless it was before
   */
  attempt<R>(
    place: { readonly bucket: string; readonly key: string },
    decode: () => R,
  ): R | undefined {
    try {
      return decode();
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      const { bucket, key } = place;
      const remedy =
        error.code === 'FORMAT_UNKNOWN' ? '' : ': remove it with a NATS tool if nobody needs it';
      const message = `${error.message} (${key} in ${bucket} is left alone${remedy})`;
      if (!this.#told.has(message)) this.#tell(message);
      this.#told.add(message);
      return undefined;
    }
  }
}
