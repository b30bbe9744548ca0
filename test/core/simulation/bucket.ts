/** A key-value bucket of one entry a key: revisions, delete markers, compare-and-set, and streams that follow it. */

/** An entry as it was written. */
export interface SimulatedEntry<V> {
  readonly key: string;
  readonly revision: number;
  /** Undefined: a delete marker. */
  readonly value: V | undefined;
}

export class SimulatedBucket<V> {
  #log: SimulatedEntry<V>[] = [];
  #last = new Map<string, SimulatedEntry<V>>();
  #lastRevision = 0;
  /** A bucket that was lost and made again is another one. */
  #generation = 0;
  readonly #watchers = new Set<(entry: SimulatedEntry<V> | undefined) => void>();

  get lastRevision(): number {
    return this.#lastRevision;
  }

  get generation(): number {
    return this.#generation;
  }

  get(key: string): SimulatedEntry<V> | undefined {
    return this.#last.get(key);
  }

  /** What a replica answers that has nothing yet after a revision. */
  getAsOf(key: string, revision: number): SimulatedEntry<V> | undefined {
    const last = this.#last.get(key);
    if (last === undefined || last.revision <= revision) return last;
    return this.#log.findLast((each) => each.key === key && each.revision <= revision);
  }

  /** What has been the last entry of the key at a revision or later. */
  since(key: string, revision: number): SimulatedEntry<V>[] {
    const then = this.getAsOf(key, revision);
    const later = this.#log.filter((each) => each.key === key && each.revision > revision);
    return then === undefined || then.revision > revision ? later : [then, ...later];
  }

  all(): SimulatedEntry<V>[] {
    return [...this.#last.values()].sort((a, b) => a.revision - b.revision);
  }

  /**
   * Writes a value or (undefined) a marker.
   *
   * @param expected - revision of the last entry, 0: none; undefined: whatever it is
   * @returns the new revision; undefined: refused
   */
  put(key: string, value: V | undefined, expected?: number): number | undefined {
    const last = this.#last.get(key);
    if (expected !== undefined && (last?.revision ?? 0) !== expected) return undefined;
    const entry = { key, value, revision: ++this.#lastRevision };
    this.#last.set(key, entry);
    this.#log.push(entry);
    for (const hear of this.#watchers) hear(entry);
    return entry.revision;
  }

  /**
   * The server comes back without it.
   *
   * Revisions go on where they were, as no revision of a key comes twice by chance in a real stream of any length.
   */
  lose(): void {
    this.#log = [];
    this.#last = new Map();
    this.#generation++;
    for (const hear of this.#watchers) hear(undefined);
  }

  /** Calls back whenever something was written, and (undefined) when the bucket was lost. */
  watch(hear: (entry: SimulatedEntry<V> | undefined) => void): { stop(): void } {
    this.#watchers.add(hear);
    return { stop: () => this.#watchers.delete(hear) };
  }

  /**
   * Entries from a revision on, in order, at most `most`.
   *
   * @param keepsReplaced - whether an entry is still handed over that another of its key has replaced meanwhile
   */
  read(from: number, most: number, keepsReplaced: () => boolean): SimulatedEntry<V>[] {
    const entries: SimulatedEntry<V>[] = [];
    let low = 0;
    let high = this.#log.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#log[middle]?.revision ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < this.#log.length && entries.length < most; at++) {
      const entry = this.#log[at];
      if (entry === undefined) break;
      if (this.#last.get(entry.key) === entry || keepsReplaced()) entries.push(entry);
    }
    return entries;
  }
}
