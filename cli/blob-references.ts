/** Which blobs hold the large results of tasks. */
import type { OpenProject } from '../broker/project.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { BlobReference } from '../core/parcel.ts';
import { unpack } from '../core/wire.ts';

const readAtOnce = 256;

/** The blob of each of these tasks whose result is one. */
export async function blobReferences(
  project: OpenProject,
  ids: readonly TaskId[],
): Promise<Map<TaskId, BlobReference>> {
  const found = new Map<TaskId, BlobReference>();
  const read = async (id: TaskId): Promise<void> => {
    const last = await project.results.read(id);
    // A replica that is behind must not make anybody think that nothing refers to a blob.
    const isSeen = last?.present === true && last.isBlob;
    const stored = isSeen ? last : await project.results.readFromLeader(id);
    if (stored?.present !== true || !stored.isBlob) return;
    found.set(id, unpack(stored.data, `the result of ${id}`) as BlobReference);
  };
  for (let at = 0; at < ids.length; at += readAtOnce) {
    await Promise.all(ids.slice(at, at + readAtOnce).map(read));
  }
  return found;
}
