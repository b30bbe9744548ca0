/** Tells those who keep something open on a connection that it was lost and is back. */
import { Events, type NatsConnection } from 'nats';

const listeners = new WeakMap<NatsConnection, Set<() => void>>();

/**
 * Calls `listener` after each reconnection.
 *
 * @returns a function that ends it
 */
export function onReconnect(connection: NatsConnection, listener: () => void): () => void {
  let all = listeners.get(connection);
  if (all === undefined) {
    all = new Set();
    listeners.set(connection, all);
    void watch(connection, all);
  }
  const own = all;
  own.add(listener);
  return () => own.delete(listener);
}

/** Ends with the connection. */
async function watch(connection: NatsConnection, all: ReadonlySet<() => void>): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === Events.Reconnect) for (const listener of all) listener();
  }
}
