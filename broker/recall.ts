/**
 * Calls messages back from the hands of workers: a word between processes that are there, and kept nowhere.
 *
 * A worker that does not hear it (its link is just broken) finishes what it runs, as if nothing had been said: so a word
 * that is lost costs work, and nothing else.
 */
import { createInbox, type Msg, type NatsConnection } from 'nats';
import { isJugqError } from '../core/errors.ts';
import type { TaskId } from '../core/identifiers.ts';
import { pack, unpack } from '../core/wire.ts';
import { outsideReading } from './callbacks.ts';
import type { Names } from './topology.ts';

/** A message in somebody's hands. */
export interface RecalledMessage {
  readonly head: TaskId;
  readonly queue: string;
}

/** `idle`: let go of what has not begun; `all`: and end what has. */
export type RecallKind = 'idle' | 'all';

/** Who holds a message and has begun with it says so within this time. */
const answerMs = 500;
const messagesMax = 2000;

/**
 * Calls messages back.
 *
 * @returns those that stay where they are, because somebody has begun with them; of `all`, none
 */
export async function recall(
  connection: NatsConnection,
  names: Names,
  messages: readonly RecalledMessage[],
  kind: RecallKind,
): Promise<RecalledMessage[]> {
  if (messages.length === 0) return [];
  const reply = createInbox();
  const kept: RecalledMessage[] = [];
  const answers = connection.subscribe(reply, {
    callback: hearing((pairs) => kept.push(...readPairs(pairs))),
  });
  for (let at = 0; at < messages.length; at += messagesMax) {
    const some = toPairs(messages.slice(at, at + messagesMax));
    connection.publish(recallSubject(names), pack([kind, some]), { reply });
  }
  if (kind === 'idle') await new Promise((resolve) => setTimeout(resolve, answerMs));
  if (!connection.isClosed()) answers.unsubscribe();
  return kept;
}

/** Hears recalls until `stop`; `letGo` does what is asked and returns what stays. */
export function hearRecalls(
  connection: NatsConnection,
  names: Names,
  letGo: (messages: readonly RecalledMessage[], kind: RecallKind) => readonly RecalledMessage[],
): { stop(): void } {
  const subscription = connection.subscribe(recallSubject(names), {
    callback: hearing((content, { reply }) => {
      const [kind, pairs] = content as [RecallKind, unknown];
      const stays = letGo(readPairs(pairs), kind);
      if (stays.length === 0 || reply === undefined || connection.isClosed()) return;
      connection.publish(reply, pack(toPairs(stays)));
    }),
  });
  return {
    stop: () => {
      if (!connection.isClosed()) subscription.unsubscribe();
    },
  };
}

/** What is not ours on the subject is nothing. */
function hearing(
  take: (content: readonly unknown[], message: Msg) => void,
): (error: Error | null, message: Msg) => void {
  const takeOutside = outsideReading(take);
  return (error, message) => {
    const content = error === null ? read(message) : undefined;
    if (Array.isArray(content)) takeOutside(content, message);
  };
}

function read({ data }: Msg): unknown {
  try {
    return unpack(data, 'a recall');
  } catch (error) {
    if (isJugqError(error, 'VALUE_CORRUPT')) return undefined;
    throw error;
  }
}

function toPairs(messages: readonly RecalledMessage[]): [TaskId, string][] {
  return messages.map(({ head, queue }) => [head, queue]);
}

function readPairs(pairs: unknown): RecalledMessage[] {
  if (!Array.isArray(pairs)) return [];
  return (pairs as [TaskId, string][]).map(([head, queue]) => ({ head, queue }));
}

function recallSubject({ project }: Names): string {
  return `jugq.${project}.recall`;
}
