/** Asking the server again while it elects a leader, or is away for a moment. */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import { isTransient, toJugqError } from './nats-errors.ts';

/** An election, or a restart, is over by then; whoever waits longer wants to be told. */
const patienceMs = 30_000;
const retryMs = 250;

/**
 * Asks until the server answers.
 *
 * @param doing - for the error: "reading the queue"
 * @param forMs - how long; default 30 s
 * @throws JugqError of the last answer when the time is up, of another answer or a closed connection at once
 */
export async function patiently<T>(
  connection: NatsConnection,
  doing: string,
  ask: () => Promise<T>,
  forMs = patienceMs,
): Promise<T> {
  const until = performance.now() + forMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isTransient(error) || connection.isClosed() || performance.now() > until) {
        throw toJugqError(error, doing);
      }
    }
    await delay(retryMs);
  }
}
