/**
 * Tells the dispatcher that a worker has taken a message apart: what is left of it is not queued any more.
 *
 * A word between processes that are there, and kept nowhere: the dispatcher's sweep finds out without it, later.
 */
import type { NatsConnection } from 'nats';
import type { MessagePlace } from '../core/dispatch-state.ts';
import type { TaskId } from '../core/identifiers.ts';
import { isUnreadable, pack, unpack } from '../core/wire.ts';
import { outsideReading } from './callbacks.ts';
import type { Names } from './topology.ts';

/** Says that some tasks of a message were left out when it was taken apart. */
export function tellTakenApart(
  connection: NatsConnection,
  names: Names,
  { head, queue }: MessagePlace,
): void {
  if (!connection.isClosed()) connection.publish(subject(names), pack([head, queue]));
}

/** Hears of messages that were taken apart, until `stop`. */
export function hearTakenApart(
  connection: NatsConnection,
  names: Names,
  hear: (place: MessagePlace) => void,
): { stop(): void } {
  const hearOutside = outsideReading(hear);
  const subscription = connection.subscribe(subject(names), {
    callback: (error, { data }) => {
      const place = error === null ? read(data) : undefined;
      if (place !== undefined) hearOutside(place);
    },
  });
  return {
    stop: () => {
      if (!connection.isClosed()) subscription.unsubscribe();
    },
  };
}

/** What is not ours on the subject is nothing. */
function read(data: Uint8Array): MessagePlace | undefined {
  try {
    const content = unpack(data, 'a notice');
    if (!Array.isArray(content)) return undefined;
    const [head, queue] = content as [TaskId, string];
    return { head, queue };
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

function subject({ project }: Names): string {
  return `jugq.${project}.apart`;
}
