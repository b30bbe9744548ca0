/**
 * The results that tasks need: from memory if this worker has seen just that revision lately, else from the server.
 *
 * What is kept is bytes; every task decodes its own copy.
 */
import { JugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { InputReference } from '../core/parcel.ts';
import type { OpenProject } from '../broker/project.ts';
import { onReconnect } from '../broker/reconnects.ts';
import type { StoredResult } from '../broker/results.ts';
import { RecentResults } from './recent-results.ts';

/** CBOR of a result, or which result is not there: the last entry of its key, if it has one. */
export type Input =
  | { readonly kind: 'there'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'missing';
      readonly id: TaskId;
      readonly revision: number;
      readonly marked: boolean;
    };

export class Inputs {
  readonly #project: OpenProject;
  readonly #cache = new RecentResults();
  readonly #reading = new Map<string, Promise<Input>>();

  constructor(project: OpenProject) {
    this.#project = project;
    // A server that comes back without its data counts revisions anew: an old number may mean another value.
    onReconnect(project.connection, () => {
      this.#cache.clear();
    });
  }

  /** Remembers a result that this worker has just stored. */
  remember(id: TaskId, revision: number, bytes: Uint8Array): void {
    this.#cache.set(id, { revision, bytes });
  }

  /**
   * The input if it is in memory and may be taken from there.
   *
   * @param since - revision of the marker of the task that takes it, 0: none. Whatever `invalidate` marks, it marks the
   *   inputs first: one that is older than the marker may be invalid since, and only the leader can tell.
   */
  cached(reference: InputReference, since: number): Uint8Array | undefined {
    if (reference.revision <= since) return undefined;
    const known = this.#cache.get(reference.id);
    return known?.revision === reference.revision ? known.bytes : undefined;
  }

  /**
   * Reads an input; several who want the same one share the reading.
   *
   * @param since - as for `cached`
   */
  read(reference: InputReference, since: number): Promise<Input> {
    const bytes = this.cached(reference, since);
    if (bytes !== undefined) return Promise.resolve({ kind: 'there', bytes });
    const isTrusted = reference.revision > since;
    const key = `${reference.id} ${isTrusted ? reference.revision.toString() : `since ${since.toString()}`}`;
    const open =
      this.#reading.get(key) ??
      this.#fetch(reference, isTrusted).finally(() => this.#reading.delete(key));
    this.#reading.set(key, open);
    return open;
  }

  async #fetch({ id, revision }: InputReference, isTrusted: boolean): Promise<Input> {
    const quick = isTrusted ? await this.#project.results.read(id) : undefined;
    // A replica may be late: it can neither say "not there" nor that an older value is the last.
    const isLast = quick?.present === true && quick.revision >= revision;
    const stored = isLast ? quick : await this.#project.results.readFromLeader(id);
    if (stored?.present !== true) {
      return { kind: 'missing', id, revision: stored?.revision ?? 0, marked: stored !== undefined };
    }
    return this.#bytesOf(stored);
  }

  async #bytesOf(stored: StoredResult): Promise<Input> {
    try {
      const bytes = await this.#project.results.valueOf(stored);
      this.remember(stored.id, stored.revision, bytes);
      return { kind: 'there', bytes };
    } catch (error) {
      if (!(error instanceof JugqError) || error.code !== 'VALUE_CORRUPT') throw error;
      // A result without its blob is no result: it is computed again.
      return { kind: 'missing', id: stored.id, revision: stored.revision, marked: false };
    }
  }
}
