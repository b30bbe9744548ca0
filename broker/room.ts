/**
 * Whether the server has room for what a project writes, seen from the side of whoever asks.
 *
 * Workers that find it full say so in their records, but where nothing can be written, neither can those.
 */
import type { StreamInfo } from 'nats';
import { isJugqError } from '../core/errors.ts';
import { isNotFound, toJugqError } from './nats-errors.ts';
import type { OpenProject } from './project.ts';
import { bucketStream, objectStream } from './topology.ts';

/** Why the server may not take what is written next; empty: nothing speaks against it. */
export async function findShortages(project: OpenProject): Promise<string[]> {
  const { names } = project;
  const streams = [
    names.tasks,
    ...[names.results, names.failures, names.runs].map(bucketStream),
    ...[names.blobs, names.plans].map(objectStream),
  ];
  const infos = await Promise.all(streams.map((each) => infoOf(project, each)));
  const full = infos.flatMap((each) => (each === undefined ? [] : (fullStream(each) ?? [])));
  return full.length > 0 ? full : ((await refusal(project)) ?? []);
}

async function infoOf(project: OpenProject, stream: string): Promise<StreamInfo | undefined> {
  try {
    return await project.manager.streams.info(stream);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw toJugqError(error, `reading the stream ${stream}`);
  }
}

/** A stream of which another message of twice its usual size would pass the limit. */
function fullStream({ config, state }: StreamInfo): string[] | undefined {
  const { name, max_bytes: max } = config;
  if (max <= 0 || state.messages === 0) return undefined;
  if (state.bytes + (2 * state.bytes) / state.messages <= max) return undefined;
  return [
    `the stream ${name} is full (${state.bytes.toString()} of ${max.toString()} bytes): raise its max_bytes, or free space with jugq cleanup`,
  ];
}

/** The limits of an account and of a server are known only to who writes: a marker that nobody reads is tried. */
async function refusal({ workers }: OpenProject): Promise<string[] | undefined> {
  try {
    await workers.delete('room');
    return undefined;
  } catch (error) {
    if (!isJugqError(error, 'SERVER_FULL')) throw error;
    return [error.message.replace(/^writing \S+ to \S+:/, 'the server has no room:')];
  }
}
