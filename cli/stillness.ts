/** Why runs may not move, as far as the server knows it: each reason with what to do about it. */
import type { Entry } from '../broker/bucket.ts';
import { isStoreYounger } from '../broker/lost-store.ts';
import { findShortages } from '../broker/room.ts';
import { serverTime } from '../broker/worker-records.ts';
import {
  addCounts,
  decodeRecord,
  type LeaseRecord,
  type RunRecord,
  type WorkerRecord,
} from '../core/records.ts';
import { formatMs } from './amounts.ts';
import { loneliness, lonelyQueues } from './lonely-queues.ts';
import { countOf } from './report.ts';
import { isActive, pausedNote } from './runs.ts';
import { lostStore, type Session } from './session.ts';

/**
 * The reasons why these runs may stand still.
 *
 * @param workers - those that have been heard of lately
 */
export async function explainStillness(
  session: Session,
  runs: readonly RunRecord[],
  workers: readonly WorkerRecord[],
): Promise<string[]> {
  const { project } = session;
  const notes = [...failedBehind(runs)];
  if (runs.length === 0 && (await isStoreYounger(project, workers)))
    notes.push(`the server has lost what it had: ${lostStore}`);
  notes.push(...runs.filter(({ state }) => state === 'paused').map(({ id }) => pausedNote(id)));
  const active = runs.filter((each) => isActive(each) && each.state !== 'paused');
  if (active.length === 0) return notes;
  notes.push(...loneliness(lonelyQueues(active, workers), workers.length));
  notes.push(...(await silentDispatcher(session, workers.length)));
  notes.push(...(await findShortages(project)));
  return notes;
}

/** What has failed for good in runs that are shown, and what waits for it in vain. */
function failedBehind(runs: readonly RunRecord[]): string[] {
  const { failed, blocked } = addCounts(runs.flatMap((each) => Object.values(each.functions)));
  if (failed === 0) return [];
  const behind = blocked === 0 ? '' : `, and ${blocked.toString()} more are blocked behind them`;
  return [
    `${countOf(failed, 'task')} failed for good${behind}: see jugq status --failed, mend the cause, then jugq retry --all`,
  ];
}

/** Whoever holds the lease has not renewed it, or nobody holds it: nothing is published. */
async function silentDispatcher(
  { project, settings }: Session,
  workers: number,
): Promise<string[]> {
  const entry = await project.leases.get('dispatcher');
  const silentMs = entry === undefined ? Infinity : (await serverTime(project)) - entry.writtenAt;
  if (silentMs <= 2 * settings.lease) return [];
  const holder = entry && readLease(project, entry);
  if (holder === undefined) {
    return workers === 0
      ? [
          'nobody dispatches: the counts of active runs are as old as their last dispatcher; jugq status JUGFILE counts anew',
        ]
      : ['nobody dispatches: a worker will in a moment, if it can write'];
  }
  const { host, pid } = holder;
  return [
    `the dispatcher's lease is held by process ${pid.toString()} on ${host}, which has been silent for ${formatMs(silentMs)}: any worker or waiting plan that can reach the server takes it over`,
  ];
}

function readLease(
  { leases, unreadable }: Session['project'],
  { key, value }: Entry,
): LeaseRecord | undefined {
  if (value === undefined) return undefined;
  return unreadable.attempt({ bucket: leases.name, key }, () =>
    decodeRecord<LeaseRecord>(value, 'the lease', { host: 'string', pid: 'number' }),
  );
}
