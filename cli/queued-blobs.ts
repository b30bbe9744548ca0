/** Which blobs the messages of the queue name: whoever removes blobs must spare them. */
import type { OpenProject } from '../broker/project.ts';
import { isUnreadable } from '../core/wire.ts';
import type { QueuedMessage } from '../broker/queue.ts';

const readAtOnce = 256;

/** The names of all blobs that queued tasks take. */
export async function queuedBlobs(project: OpenProject): Promise<Set<string>> {
  const names = new Set<string>();
  const messages = await project.queue.list();
  for (let at = 0; at < messages.length; at += readAtOnce) {
    const some = messages.slice(at, at + readAtOnce);
    for (const blobs of await Promise.all(some.map((each) => blobsOf(project, each))))
      for (const name of blobs) names.add(name);
  }
  return names;
}

async function blobsOf({ queue }: OpenProject, message: QueuedMessage): Promise<string[]> {
  try {
    const found = await queue.read(message);
    return (found?.parcel.tasks ?? []).flatMap(({ arguments: args, inputsElsewhere }) => [
      ...(args instanceof Uint8Array ? [] : [args.blob]),
      ...(inputsElsewhere === undefined ? [] : [inputsElsewhere.blob]),
    ]);
  } catch (error) {
    // Whoever can read it has its task published again if a blob is gone.
    if (!isUnreadable(error)) throw error;
    return [];
  }
}
