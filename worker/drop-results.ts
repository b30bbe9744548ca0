/** Takes intermediate results away, as the dispatcher has decided. */
import type { OpenProject } from '../broker/project.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { BlobReference } from '../core/parcel.ts';
import { unpack } from '../core/wire.ts';

/** A result, by the revision of its entry. */
export interface Drop {
  readonly id: TaskId;
  readonly revision: number;
}

/**
 * Leaves a marker on each result that is still the one that was meant, and deletes its blob.
 *
 * What cannot be marked, because the server has no room or the entry is another one by now, stays: it harms nobody.
 *
 * @param isOver - somebody else dispatches, and what is left is theirs to decide
 */
export async function dropResults(
  project: OpenProject,
  drops: readonly Drop[],
  isOver: () => boolean,
): Promise<void> {
  for (let at = 0; at < drops.length && !isOver(); at += atOnce) {
    await Promise.all(drops.slice(at, at + atOnce).map((each) => drop(project, each)));
  }
}

const atOnce = 256;

async function drop({ results, blobs }: OpenProject, { id, revision }: Drop): Promise<void> {
  const stored = await results.read(id);
  if (stored?.present !== true || stored.revision !== revision) return;
  const { kind } = await results.mark(id, revision);
  if (kind !== 'stored' || !stored.isBlob) return;
  const { blob } = unpack(stored.data, `the result of ${id}`) as BlobReference;
  await blobs.delete(blob);
}
