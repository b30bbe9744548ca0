/**
 * What has been heard of results, from many and in no order, and what is missing in between.
 *
 * Each entry is handed over once, as soon as it is heard of: one worker that is slow to tell holds up nobody else's. Order
 * is not needed by those who keep the last entry of each key by its revision, and a worker that is given an input from
 * before a marker finds out by its own task's marker, which is younger (`worker/inputs.ts`).
 */
import type { TaskId } from './identifiers.ts';

/** What was stored last under a result's key. */
export interface ResultNews {
  readonly id: TaskId;
  readonly revision: number;
  /** False: a delete marker. */
  readonly present: boolean;
  /** How long the function ran; undefined: nobody knows, or it is a marker. */
  readonly ms: number | undefined;
}

export class HeardResults {
  readonly #handOver: (news: ResultNews) => void;
  #upTo: number;
  /** Those heard of beyond the first that is missing. */
  readonly #beyond = new Set<number>();
  #highest: number;

  /** @param from - first revision wanted */
  constructor(from: number, handOver: (news: ResultNews) => void) {
    this.#handOver = handOver;
    this.#upTo = from - 1;
    this.#highest = this.#upTo;
  }

  /** Up to this revision nothing is missing. */
  get upTo(): number {
    return this.#upTo;
  }

  /** The highest revision that was heard of. */
  get highest(): number {
    return this.#highest;
  }

  /** Whether something is missing before what has been heard of. */
  get hasGap(): boolean {
    return this.#beyond.size > 0;
  }

  /** Takes in one of the news, in any order and any number of times. */
  hear(news: ResultNews): void {
    const { revision } = news;
    if (revision <= this.#upTo || this.#beyond.has(revision)) return;
    if (revision > this.#highest) this.#highest = revision;
    if (revision === this.#upTo + 1) {
      this.#upTo = revision;
      if (this.#beyond.size > 0) this.#closeGap();
    } else this.#beyond.add(revision);
    this.#handOver(news);
  }

  /**
   * All that there was up to here has been read, message by message: what has not been heard of is not there any more.
   * Whoever says so of what he has not read has it missed for ever.
   */
  readUpTo(revision: number): void {
    this.#upTo = Math.max(this.#upTo, revision);
    this.#highest = Math.max(this.#highest, revision);
    for (const each of this.#beyond) if (each <= this.#upTo) this.#beyond.delete(each);
    this.#closeGap();
  }

  /** Forgets everything: what there was is gone. */
  forget(): void {
    this.#beyond.clear();
    this.#upTo = 0;
    this.#highest = 0;
  }

  #closeGap(): void {
    while (this.#beyond.delete(this.#upTo + 1)) this.#upTo++;
  }
}
