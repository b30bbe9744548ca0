/** Messages of the queue that somebody else has published, read without taking them. */
import type { OpenProject } from '../broker/project.ts';
import type { DispatchEvent, MessagePlace } from '../core/dispatch.ts';
import { isUnreadable } from '../core/wire.ts';

/** What the messages hold; those that have gone, or cannot be read here, are left out. */
export async function readMessages(
  project: OpenProject,
  places: readonly MessagePlace[],
): Promise<DispatchEvent[]> {
  const found = await Promise.all(places.map((each) => readMessage(project, each)));
  return found.flatMap((event) => event ?? []);
}

async function readMessage(
  project: OpenProject,
  { head, queue }: MessagePlace,
): Promise<DispatchEvent | undefined> {
  try {
    const found = await project.queue.read({ head, queue });
    if (found === undefined) return undefined;
    const { code, tasks } = found.parcel;
    return { kind: 'found', head, queue, code, tasks };
  } catch (error) {
    // It is left to whoever can read it.
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}
