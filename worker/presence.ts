/** Tells who works here: a record that expires, renewed while the worker lives. */
import { hostname } from 'node:os';
import type { Bucket } from '../broker/bucket.ts';
import { presenceRenewMs } from '../broker/topology.ts';
import { encodeRecord, recordFormat, type WorkerRecord } from '../core/records.ts';

export interface PresenceOptions {
  readonly bucket: Bucket;
  readonly id: string;
  readonly threads: number;
  readonly queues: readonly string[];
  readonly now: () => Pick<WorkerRecord, 'running' | 'progress' | 'note'>;
}

/** What runs changes too often to tell each change. */
const changeEveryMs = 1000;

export class Presence {
  readonly #options: PresenceOptions;
  readonly #startedAt = new Date().toISOString();
  readonly #timer: NodeJS.Timeout;
  #told = '';
  #toldAt = -Infinity;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#tell();
    }, changeEveryMs).unref();
    this.#tell();
  }

  /** Takes the record away. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#options.bucket.delete(this.#options.id);
  }

  #tell(): void {
    const { bucket, id, threads, queues } = this.#options;
    const now = this.#options.now();
    const text = JSON.stringify(now);
    if (text === this.#told && performance.now() - this.#toldAt < presenceRenewMs) return;
    this.#told = text;
    this.#toldAt = performance.now();
    const record: WorkerRecord = {
      format: recordFormat,
      id,
      host: hostname(),
      pid: process.pid,
      threads,
      queues,
      startedAt: this.#startedAt,
      ...now,
    };
    // A record that could not be written is written again in a moment; nothing depends on it.
    bucket.put(id, encodeRecord(record)).catch(() => {
      this.#told = '';
    });
  }
}
