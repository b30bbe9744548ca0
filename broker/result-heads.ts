/** The heads of all results: what is known of each without reading its value. A scan, for those who want all of them. */
import type { TaskId } from '../core/identifiers.ts';
import { isMarker } from './bucket.ts';
import { follow } from './follow.ts';
import type { OpenProject } from './project.ts';
import { factsIn, holdsReference, type ResultFacts } from './result-facts.ts';
import { bucketStream, keySubject } from './topology.ts';

/** The head of the last entry of a result's key. */
export interface ResultHead {
  readonly id: TaskId;
  readonly revision: number;
  readonly facts: ResultFacts | undefined;
  /** Of what the key holds: the value, or the reference to a blob. */
  readonly bytes: number;
  readonly isBlob: boolean;
}

/** What the server says of the size of a message whose body it leaves out. */
const sizeHeader = 'Nats-Msg-Size';
/** The server compares every filter with every message: past this many it is cheaper to read all. */
const filtersMax = 16;

/** Which subjects to follow for the results of these functions; no property: all. */
export function subjectsOf(
  prefix: string,
  functions: readonly string[],
): { readonly subjects?: readonly string[] } {
  if (functions.length === 0 || functions.length > filtersMax) return {};
  return { subjects: functions.map((name) => `${prefix}${name}.>`) };
}

/**
 * Reads the heads of all results as they come: a million need no memory here.
 *
 * A key that is written while this reads may come twice, the later entry last; one that is marked may still come.
 *
 * @param functions - only of these, if they are few; undefined: of all
 */
export async function scanHeads(
  project: Pick<OpenProject, 'connection' | 'manager' | 'names'>,
  functions: readonly string[] | undefined,
  onHead: (head: ResultHead) => void,
): Promise<void> {
  const prefix = keySubject(project.names.results, '');
  if (functions?.length === 0) return;
  const following = follow(project.connection, project.manager, {
    stream: bucketStream(project.names.results),
    from: 1,
    headersOnly: true,
    ...subjectsOf(prefix, functions ?? []),
    onMessage: ({ subject, sequence, headers }) => {
      if (isMarker(headers)) return;
      onHead({
        id: subject.slice(prefix.length) as TaskId,
        revision: sequence,
        facts: factsIn(headers),
        bytes: Number(headers?.get(sizeHeader) ?? 0),
        isBlob: holdsReference(headers),
      });
    },
  });
  await following.caughtUp;
  following.stop();
}
