/** Publishes to JetStream with many messages under way, with as little around it as that takes. */
import { createInbox, type NatsConnection } from 'nats';

/** More messages under way make nothing faster. */
const windowMessages = 4096;

/** Sends messages and counts their acknowledgements on one subscription. */
export interface RawPublisher {
  /** Sends a message; `stored` is called when the server has acknowledged it. */
  send(subject: string, payload: Uint8Array, stored: () => void): void;
  /** Waits while the window is full; undefined: there is room. */
  room(): Promise<void> | undefined;
}

/** A publisher on a connection, for as long as that lives. */
export function rawPublisher(connection: NatsConnection): RawPublisher {
  const inbox = createInbox();
  const open = new Map<number, () => void>();
  let last = 0;
  let waiting: (() => void)[] = [];
  connection.subscribe(`${inbox}.*`, {
    callback: (_error, message) => {
      const key = Number(message.subject.slice(inbox.length + 1));
      const stored = open.get(key);
      open.delete(key);
      stored?.();
      if (waiting.length === 0 || open.size > windowMessages / 2) return;
      const released = waiting;
      waiting = [];
      for (const resolve of released) resolve();
    },
  });
  return {
    send(subject, payload, stored) {
      open.set(++last, stored);
      connection.publish(subject, payload, { reply: `${inbox}.${last}` });
    },
    room() {
      if (open.size < windowMessages) return undefined;
      return new Promise((resolve) => waiting.push(resolve));
    },
  };
}
