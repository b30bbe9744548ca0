/** What a stream's leader says of the stream. */
import { NatsError, type JetStreamManager, type StreamInfo } from 'nats';
import type { StreamPlace } from '../core/known-results.ts';
import { clientCode, isNotFound } from './nats-errors.ts';

/**
 * What is in a stream, by the word of its leader.
 *
 * A replica that has lost its leader answers too, with as much as it has itself, and then names none: that counts as no
 * answer. It is so on 2.10.27 and 2.15.1, from about eight seconds after it has last heard of the leader.
 *
 * @throws NatsError; transient if there is no leader now
 */
export async function streamInfo(
  manager: JetStreamManager,
  stream: string,
  query?: { readonly subjects_filter: string },
): Promise<StreamInfo> {
  const found = await manager.streams.info(stream, query);
  if (found.cluster !== undefined && (found.cluster.leader ?? '') === '')
    throw new NatsError('the stream has no leader', clientCode.NoResponders);
  return found;
}

/**
 * How many replicas a stream has: asked once, when it is first wanted.
 *
 * Whoever adds some to a stream restarts what uses it, or has to do with answers that are late.
 */
export function replicasOf(manager: JetStreamManager, stream: string): () => Promise<number> {
  let known: Promise<number> | undefined;
  return () => {
    known ??= streamInfo(manager, stream).then(
      ({ config }) => config.num_replicas,
      (error: unknown) => {
        known = undefined;
        throw error;
      },
    );
    return known;
  };
}

/**
 * Sequence of the last message that is there, by the word of the leader; 0: there is none.
 *
 * @param which - of these subjects only
 */
export async function lastSequenceOf(
  manager: JetStreamManager,
  which: { readonly stream: string; readonly subjects?: readonly string[] },
): Promise<number> {
  const { stream, subjects = ['>'] } = which;
  const last = await Promise.all(
    subjects.map(async (subject) => {
      try {
        return (await manager.streams.getMessage(stream, { last_by_subj: subject })).seq;
      } catch (error) {
        if (isNotFound(error)) return 0;
        throw error;
      }
    }),
  );
  return Math.max(...last);
}

/**
 * Whether a stream is the one that was seen at some time, with all that it had then: what was its last message is still the
 * same. One that has lost its end and grown again gives the same numbers to other messages.
 *
 * @returns false also where that message was written over since: whoever cannot tell reads everything
 */
export async function isStill(
  manager: JetStreamManager,
  { config, state }: StreamInfo,
  { revision, storedAt }: StreamPlace,
): Promise<boolean> {
  if (revision === 0) return true;
  if (revision > state.last_seq) return false;
  if (revision === state.last_seq) return storedAt === state.last_ts;
  try {
    const { timestamp } = await manager.streams.getMessage(config.name, { seq: revision });
    return timestamp === storedAt;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}
