/**
 * Who dispatches: a lease in a bucket, renewed by compare-and-set.
 *
 * Candidates time the lease on their own monotonic clock: one that has seen the same revision for a whole lease takes
 * it over by compare-and-set on that revision. The bucket's expiry only tidies up; it gives no event and may come
 * late. The sequence of the acquisition is the *epoch*: a later holder has a greater one.
 */
import { hostname } from 'node:os';
import { recordFormat, decodeRecord, encodeRecord, type LeaseRecord } from '../core/records.ts';
import type { Bucket, Entry } from './bucket.ts';

const key = 'dispatcher';

export interface LeaseOptions {
  readonly bucket: Bucket;
  /** Unique name of this candidate. */
  readonly holder: string;
  readonly leaseMs: number;
  readonly onAcquired: (epoch: number) => void;
  readonly onLost: () => void;
}

/** The share of a lease after which a holder that could not renew stops acting, and the renewal's own share. */
const trustedShare = 0.7;
const renewalShare = 0.3;

export class Lease {
  readonly #options: LeaseOptions;
  readonly #following: { stop(): void };
  #seen: { revision: number; at: number; held: boolean };
  #own = 0;
  #epoch = 0;
  #trustedUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#seen = { revision: 0, at: performance.now(), held: false };
    const following = options.bucket.follow(1, (entry) => {
      this.#notice(entry);
    });
    this.#following = following;
    void following.caughtUp.then(() => {
      this.#schedule(0);
    });
  }

  /** Whether this candidate may act now. Counted from when the last renewal was sent, so that a slow reply never lengthens trust. */
  get isHeld(): boolean {
    return this.#epoch > 0 && performance.now() < this.#trustedUntil;
  }

  /** Sequence of the current acquisition; 0: not held. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Gives the lease up, so that another candidate takes it at once. */
  async release(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#following.stop();
    if (this.#epoch === 0) return;
    this.#epoch = 0;
    await this.#options.bucket.delete(key, this.#own);
  }

  #notice(entry: Entry): void {
    if (entry.revision === this.#own || entry.revision <= this.#seen.revision) return;
    this.#seen = {
      revision: entry.revision,
      at: performance.now(),
      held: entry.value !== undefined,
    };
    if (this.#epoch > 0 && entry.revision > this.#own && !this.#isOwn(entry)) this.#lose();
    if (entry.value === undefined) this.#schedule(0);
  }

  #isOwn(entry: Entry): boolean {
    return (
      entry.value !== undefined &&
      decodeRecord<LeaseRecord>(entry.value, 'the lease').holder === this.#options.holder
    );
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      void this.#turn();
    }, delayMs);
    this.#timer.unref();
  }

  async #turn(): Promise<void> {
    const { leaseMs } = this.#options;
    const free = !this.#seen.held || performance.now() - this.#seen.at >= leaseMs;
    if (this.#epoch > 0) await this.#renew();
    else if (free) await this.#acquire();
    const left = Math.max(50, this.#seen.at + leaseMs - performance.now());
    this.#schedule(this.#epoch > 0 ? leaseMs * renewalShare : Math.min(leaseMs, left));
  }

  async #acquire(): Promise<void> {
    const sentAt = performance.now();
    const revision = await this.#write(this.#seen.revision);
    if (revision === undefined || this.#stopped) return;
    this.#own = revision;
    this.#epoch = revision;
    this.#trust(sentAt);
    this.#options.onAcquired(revision);
  }

  async #renew(): Promise<void> {
    const sentAt = performance.now();
    const revision = await this.#write(this.#own);
    if (this.#epoch === 0) return;
    if (revision === undefined) {
      this.#lose();
      return;
    }
    this.#own = revision;
    this.#trust(sentAt);
  }

  /** Undefined: another revision was there, or the server did not take it. */
  async #write(expected: number): Promise<number | undefined> {
    const record: LeaseRecord = {
      format: recordFormat,
      holder: this.#options.holder,
      host: hostname(),
      pid: process.pid,
    };
    try {
      return await this.#options.bucket.put(key, encodeRecord(record), expected);
    } catch {
      // A full or failing server: whoever holds the lease loses it by time, and everybody keeps trying.
      return undefined;
    }
  }

  #trust(sentAt: number): void {
    this.#trustedUntil = sentAt + this.#options.leaseMs * trustedShare;
    this.#seen = { revision: this.#own, at: performance.now(), held: true };
  }

  #lose(): void {
    this.#epoch = 0;
    this.#options.onLost();
  }
}
