/**
 * Who dispatches: a lease in a bucket, renewed by compare-and-set.
 *
 * Candidates time the lease on their own monotonic clock: one that has seen the same revision for a whole lease takes
 * it over by compare-and-set on that revision. The bucket's expiry only tidies up; it gives no event and may come
 * late. The sequence of the acquisition is the *epoch*: a later holder has a greater one.
 *
 * A write that was refused is a question, as everywhere: the key is read, and what stands there decides. It may be the
 * candidate's own write, whose acknowledgement was lost.
 */
import { hostname } from 'node:os';
import { isJugqError } from '../core/errors.ts';
import { recordFormat, decodeRecord, encodeRecord, type LeaseRecord } from '../core/records.ts';
import type { Bucket, Entry } from './bucket.ts';
import type { Following } from './follow.ts';

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
/** Pause after a write that failed, give or take half of it, and the longest such pause. */
const retryShare = 0.1;
const retryMsMax = 1000;

/** A moment on both clocks: the monotonic one stands still while a laptop sleeps, the other may be set back. */
interface Moment {
  readonly monotonic: number;
  readonly wall: number;
}

/** The last entry of the key as far as it is known, and when it was learned. */
interface Seen {
  readonly revision: number;
  readonly at: number;
  readonly held: boolean;
  readonly value?: Uint8Array | undefined;
}

/**
 * Whether somebody holds the lease or held it lately: enough to know that no haste is needed, never that one may act.
 *
 * @throws JugqError if the server does not say
 */
export async function isLeased(bucket: Bucket): Promise<boolean> {
  return (await bucket.get(key))?.value !== undefined;
}

export class Lease {
  readonly #options: LeaseOptions;
  readonly #following: Following;
  #seen: Seen = { revision: 0, at: performance.now(), held: false };
  /** Revision of the last write of its own that is known to be stored. */
  #own = 0;
  #epoch = 0;
  /** When the last renewal that succeeded was sent. */
  #renewed: Moment = { monotonic: -Infinity, wall: -Infinity };
  #turning = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Until then, on the monotonic clock, the lease is left to others. */
  #backAt = -Infinity;

  constructor(options: LeaseOptions) {
    this.#options = options;
    const following = options.bucket.follow(
      1,
      (entry) => {
        this.#notice(entry);
      },
      () => {
        // Whoever held it in the bucket that is gone may trust in it for a while yet.
        this.#seen = { revision: 0, at: performance.now(), held: true };
      },
    );
    this.#following = following;
    following.caughtUp.then(
      () => {
        this.#schedule(0);
      },
      // The connection was closed: there is nothing left to compete for.
      () => undefined,
    );
  }

  /**
   * Whether this candidate may act now.
   *
   * Counted from when the last renewal was sent, so that a slow reply never lengthens trust.
   */
  get isHeld(): boolean {
    const trustedMs = this.#options.leaseMs * trustedShare;
    const { monotonic, wall } = this.#renewed;
    return (
      this.#epoch > 0 && performance.now() < monotonic + trustedMs && Date.now() < wall + trustedMs
    );
  }

  /** Sequence of the current acquisition; 0: not held. */
  get epoch(): number {
    return this.#epoch;
  }

  /**
   * Gives the lease up, so that another candidate takes it at once.
   *
   * Takes no longer than a lease: if the server is away, the lease has run out by then.
   */
  async release(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#following.stop();
    let timer: NodeJS.Timeout | undefined;
    const runOut = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.leaseMs);
    });
    // A write that is under way would undo the release, or be undone by it.
    await Promise.race([this.#turning.then(() => this.#free()), runOut]);
    clearTimeout(timer);
    this.#epoch = 0;
  }

  /** Gives the lease up for others to take, and competes for it again only when one length of it has passed. */
  standBack(): void {
    this.#backAt = performance.now() + this.#options.leaseMs;
    this.#turning = this.#turning.then(async () => {
      if (this.#epoch === 0) return;
      await this.#free();
      this.#options.onLost();
    });
  }

  async #free(): Promise<void> {
    if (this.#epoch === 0) return;
    this.#epoch = 0;
    try {
      await this.#options.bucket.delete(key, this.#own);
    } catch {
      // A server that takes no marker: the lease runs out by itself.
    }
  }

  #notice(entry: Entry): void {
    if (entry.revision > this.#seen.revision && entry.revision !== this.#own) this.#learn(entry);
  }

  #learn({ revision, value }: Entry): void {
    const held = value !== undefined;
    this.#seen = { revision, at: performance.now(), held, value };
    if (this.#epoch > 0 && revision > this.#own && !this.#isOwn({ value })) this.#lose();
    if (!held) this.#schedule(0);
  }

  #isOwn({ value }: Pick<Entry, 'value'>): boolean {
    if (value === undefined) return false;
    try {
      return decodeRecord<LeaseRecord>(value, 'the lease').holder === this.#options.holder;
    } catch (error) {
      if (isJugqError(error)) return false;
      throw error;
    }
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      this.#turning = this.#turning.then(() => this.#turn());
    }, delayMs);
    this.#timer.unref();
  }

  async #turn(): Promise<void> {
    if (this.#stopped) return;
    if (this.#epoch > 0) await this.#renew();
    else if (this.#runsOutInMs() <= 0) await this.#acquire();
    this.#schedule(this.#pauseMs());
  }

  #pauseMs(): number {
    const { leaseMs } = this.#options;
    const left =
      this.#epoch > 0
        ? this.#renewed.monotonic + leaseMs * renewalShare - performance.now()
        : this.#runsOutInMs();
    if (left > 0) return left;
    return Math.min(retryMsMax, leaseMs * retryShare) * (0.5 + Math.random());
  }

  /** Time until this candidate may take the lease: none if it is free. */
  #runsOutInMs(): number {
    const now = performance.now();
    if (!this.#seen.held) return this.#backAt - now;
    return Math.max(this.#backAt, this.#seen.at + this.#options.leaseMs) - now;
  }

  async #acquire(): Promise<void> {
    if (!(await this.#isUnchanged())) return;
    const sentAt = now();
    const revision = await this.#write(this.#seen.revision);
    if (revision === undefined) {
      const { entry } = await this.#look();
      // Nobody else can have it, so that it is this candidate's to write anew.
      if (entry !== undefined && this.#isOwn(entry)) this.#seen = { ...this.#seen, held: false };
      return;
    }
    this.#epoch = revision;
    this.#trust(revision, sentAt);
    if (!this.#stopped) this.#options.onAcquired(revision);
  }

  async #renew(): Promise<void> {
    const sentAt = now();
    const revision = await this.#write(this.#own);
    // Somebody else's entry may have come meanwhile.
    if (this.#epoch === 0) return;
    if (revision !== undefined) {
      this.#trust(revision, sentAt);
      return;
    }
    const { known, entry } = await this.#look();
    if (this.#epoch === 0 || !known) return;
    // Trust has not been lengthened: that is for the next renewal to do.
    if (entry !== undefined && this.#isOwn(entry)) this.#own = entry.revision;
    else this.#lose();
  }

  /**
   * Whether the entry that has run out is still the last one. Its revision alone does not tell: a bucket that was made
   * again counts anew, and its first holders may have come to the same number.
   */
  async #isUnchanged(): Promise<boolean> {
    const seen = this.#seen;
    if (!seen.held) return true;
    const { known } = await this.#look();
    return known && this.#seen === seen;
  }

  /** Learns the last entry, if the server says. */
  async #look(): Promise<{ readonly known: boolean; readonly entry?: Entry | undefined }> {
    try {
      const entry = await this.#options.bucket.get(key);
      // The bucket has tidied the entry away, which no event tells.
      if (entry === undefined) this.#seen = { revision: 0, at: performance.now(), held: false };
      else if (!isSame(entry, this.#seen)) this.#learn(entry);
      return { known: true, entry };
    } catch {
      // The server is away or refuses: the next turn tries again.
      return { known: false };
    }
  }

  /** Undefined: another revision was there, or the server did not take it. */
  async #write(expected: number): Promise<number | undefined> {
    const record: LeaseRecord = {
      format: recordFormat,
      holder: this.#options.holder,
      host: hostname(),
      pid: process.pid,
      at: new Date().toISOString(),
    };
    const value = encodeRecord(record);
    try {
      return await this.#options.bucket.put(key, value, expected);
    } catch {
      // A full or failing server: whoever holds the lease loses it by time, and everybody keeps trying.
      return undefined;
    }
  }

  #trust(revision: number, sentAt: Moment): void {
    this.#own = revision;
    this.#renewed = sentAt;
    this.#seen = { revision, at: performance.now(), held: true };
  }

  #lose(): void {
    this.#epoch = 0;
    this.#options.onLost();
  }
}

function isSame(a: Pick<Entry, 'revision' | 'value'>, b: Seen): boolean {
  if (a.revision !== b.revision) return false;
  return Buffer.from(a.value ?? []).equals(b.value ?? new Uint8Array());
}

function now(): Moment {
  return { monotonic: performance.now(), wall: Date.now() };
}
