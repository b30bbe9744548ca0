/** Whether a storm ended as the same program would have that runs its tasks one after the other. */
import { createHash } from 'node:crypto';
import type { OpenProject } from '../../broker/project.ts';
import { encodeValue } from '../../core/codec.ts';
import type { TaskId } from '../../core/identifiers.ts';
import { eventually } from '../kit/eventually.ts';
import { valuesOf, type Knot } from '../jugfiles/storm/shapes.ts';
import type { StormRecord } from './record.ts';

/** One hash over the sorted ids and the digests of their results. */
export function hashOf(digests: ReadonlyMap<TaskId, string>): string {
  const hash = createHash('sha256');
  for (const id of [...digests.keys()].sort()) hash.update(`${id} ${digests.get(id) ?? ''}\n`);
  return hash.digest('hex').slice(0, 16);
}

/** The digests that a sequential run gives. */
export function expectedDigests(
  knots: readonly Knot[],
  ids: readonly TaskId[],
): Map<TaskId, string> {
  return new Map(
    valuesOf(knots).map((value, at) => {
      const digest = createHash('sha256').update(encodeValue(value)).digest('hex').slice(0, 32);
      return [ids[at] ?? ('' as TaskId), digest];
    }),
  );
}

/** What is wrong at the end; empty: nothing. Workers must still be there to take up what was left in the queue. */
export async function judge(
  project: OpenProject,
  record: StormRecord,
  expected: ReadonlyMap<TaskId, string>,
): Promise<string[]> {
  const wrongs = [...record.wrongs];
  const found = await readDigests(project);
  if (hashOf(found) !== hashOf(expected)) {
    const missing = [...expected.keys()].filter((id) => !found.has(id));
    if (missing.length > 0)
      wrongs.push(`${missing.length} tasks have no result: ${missing.slice(0, 5).join(', ')} …`);
    for (const [id, digest] of expected) {
      const theirs = found.get(id) ?? digest;
      if (theirs !== digest) wrongs.push(`${id} is ${theirs}, a sequential run gives ${digest}`);
    }
    for (const id of found.keys()) if (!expected.has(id)) wrongs.push(`${id} is no task`);
  }
  wrongs.push(...(await leftovers(project)));
  for (const id of expected.keys()) {
    const stored = await project.results.readFromLeader(id);
    if (stored?.isBlob !== true) continue;
    const bytes = await project.results.valueOf(stored);
    const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 32);
    if (digest !== expected.get(id)) wrongs.push(`the large result of ${id} is damaged`);
  }
  return wrongs;
}

async function readDigests(project: OpenProject): Promise<Map<TaskId, string>> {
  const digests = new Map<TaskId, string>();
  const following = project.results.follow(1, (entry) => {
    if (entry.present) digests.set(entry.id, entry.facts?.digest ?? '');
    else digests.delete(entry.id);
  });
  await following.caughtUp;
  following.stop();
  return digests;
}

/** An ack that was lost is made up for within an ack wait. */
async function leftovers(project: OpenProject): Promise<string[]> {
  const wrongs: string[] = [];
  try {
    await eventually(
      'the queue to be empty',
      async () => (await project.queue.list()).length === 0,
    );
  } catch {
    const left = await project.queue.list();
    wrongs.push(`left in the queue: ${left.map((each) => each.head).join(', ')}`);
  }
  const failures = await project.failures.list();
  if (failures.length > 0) {
    const records = failures.map((each) => new TextDecoder().decode(each.value)).slice(0, 3);
    wrongs.push(`${failures.length} failure records are left: ${records.join('; ')}`);
  }
  return wrongs;
}
