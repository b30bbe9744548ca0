/**
 * Lists of inputs that are too long for a message: a task may take a hundred thousand others.
 *
 * What a list says changes with the revisions of its results, so each publishing of such a task has one of its own, in
 * the object store, under a name that is never written twice. One that has gone is no harm: the message that names it is
 * dropped, and the dispatcher, which misses it in the queue, publishes the task again with a new one.
 */
import { createHash } from 'node:crypto';
import { ulid } from 'ulid';
import type { Blobs } from '../broker/blobs.ts';
import {
  decodeInputs,
  encodeInputs,
  type BlobReference,
  type InputReference,
  type PackedTask,
} from '../core/parcel.ts';
import { isUnreadable } from '../core/wire.ts';

/** With arguments of 64 KiB beside it, well below the smallest message that a server may be set to. */
const inlineBytesMax = 256 * 1024;
/** Of one input beside its id. */
const inputBytes = 12;
/** Tasks that take the same inputs mostly follow each other. */
const rememberedMax = 16;

/** Whether the inputs of a task are to be listed elsewhere. */
export function hasManyInputs({ inputs }: PackedTask): boolean {
  let bytes = 0;
  for (const { id } of inputs) bytes += id.length + inputBytes;
  return bytes > inlineBytesMax;
}

/** The lists that one dispatcher has stored. */
export class InputLists {
  readonly #blobs: Blobs;
  readonly #stored = new Map<string, BlobReference>();

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /**
   * Stores a list, unless just this one was stored lately.
   *
   * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
   */
  async store(inputs: readonly InputReference[]): Promise<BlobReference> {
    const bytes = encodeInputs(inputs);
    const digest = createHash('sha256').update(bytes).digest('hex');
    const known = this.#stored.get(digest);
    // It may have been cleaned up since.
    if (known !== undefined && (await this.#blobs.has(known.blob))) return known;
    const reference = { blob: `inputs.${digest}.${ulid()}`, size: bytes.length, digest };
    await this.#blobs.put(reference.blob, [bytes]);
    this.#stored.set(digest, reference);
    for (const oldest of this.#stored.keys()) {
      if (this.#stored.size <= rememberedMax) break;
      this.#stored.delete(oldest);
    }
    return reference;
  }
}

/** Reads a list; undefined if it has gone, or is damaged. */
export async function readInputList(
  blobs: Blobs,
  { blob }: BlobReference,
): Promise<readonly InputReference[] | undefined> {
  try {
    const bytes = await blobs.get(blob);
    return bytes && decodeInputs(bytes);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return undefined;
  }
}
