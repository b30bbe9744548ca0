/**
 * Results that a worker has seen lately, within a bound on their memory.
 *
 * Two generations: when the younger one is full, the older one goes as a whole. Taking single entries from the front of
 * a map costs the more, the more have been taken.
 */
import type { TaskId } from '../core/identifiers.ts';

export interface RecentResult {
  readonly revision: number;
  /** CBOR of the value. */
  readonly bytes: Uint8Array;
}

/** Of both generations together. */
const bytesMax = 64 * 1024 * 1024;
/** A larger one would push out too many others for one that is rarely asked for twice. */
const oneBytesMax = 4 * 1024 * 1024;
/** What an entry takes besides its value. */
const entryBytes = 256;

export class RecentResults {
  #young = new Map<TaskId, RecentResult>();
  #old = new Map<TaskId, RecentResult>();
  #youngBytes = 0;

  get(id: TaskId): RecentResult | undefined {
    const young = this.#young.get(id);
    if (young !== undefined) return young;
    const old = this.#old.get(id);
    if (old !== undefined) this.set(id, old);
    return old;
  }

  set(id: TaskId, result: RecentResult): void {
    if (result.bytes.length > oneBytesMax) return;
    // One that replaces another is counted again: the generation ends a little early.
    this.#young.set(id, result);
    this.#youngBytes += result.bytes.length + entryBytes;
    if (this.#youngBytes <= bytesMax / 2) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
  }
}
