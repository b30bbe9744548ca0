/** Sees when work goes on after the process that dispatched has been killed. */
import { once } from 'node:events';
import { connect } from 'nats';
import { keySubject, queueSubjects } from '../../broker/topology.ts';
import { decodeValue } from '../../core/codec.ts';
import { decodeRecord, type LeaseRecord } from '../../core/records.ts';
import { stageNames as names } from './stage.ts';

const deadlineMs = 120_000;

/** Somebody who watches; ends with the scope of `await using`. */
export interface Takeover extends AsyncDisposable {
  /**
   * Waits for the first result of a task that the new dispatcher has published.
   *
   * @returns by `performance.now()`
   * @throws Error if it is no number, or does not come within two minutes
   */
  firstResult(): Promise<number>;
}

/**
 * Watches lease, queue and results by a connection of its own, from now on.
 *
 * Whatever appears in the queue after a lease of another process is the work of that process: the one before is dead
 * by then. Workers put tasks there, too, when they split a message that was another's, but not before its ack wait is
 * over, which is the time of a lease and ten seconds.
 *
 * @param before - process id of the dispatcher that will be killed
 */
export async function watchTakeover(url: string, before: number): Promise<Takeover> {
  const connection = await connect({ servers: url });
  const found = new AbortController();
  const published = new Set<string>();
  let isTaken = false;
  let result: { readonly at: number; readonly value: unknown } | undefined;
  const see = (subject: string, take: (tail: string, data: Uint8Array) => void): void => {
    connection.subscribe(subject, {
      callback: (_error, message) => {
        if (result === undefined) take(message.subject.slice(subject.length - 1), message.data);
      },
    });
  };
  see(keySubject(names.leases, '>'), (_key, data) => {
    if (data.length === 0) return;
    isTaken ||= decodeRecord<LeaseRecord>(data, 'the lease').pid !== before;
  });
  see(queueSubjects(names, 'default'), (head) => {
    if (isTaken) published.add(head);
  });
  see(keySubject(names.results, '>'), (id, data) => {
    if (!published.has(id)) return;
    result = { at: performance.now(), value: decodeValue(data) };
    found.abort();
  });
  await connection.flush();
  return {
    async firstResult() {
      if (result === undefined) {
        await once(found.signal, 'abort', { signal: AbortSignal.timeout(deadlineMs) });
      }
      if (typeof result?.value !== 'number') throw new Error('expected the result to be a number');
      return result.at;
    },
    [Symbol.asyncDispose]: () => connection.close(),
  };
}
