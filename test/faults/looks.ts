/** How a project looks from outside, for tests that treat it badly. */
import { splitTaskId, type TaskId } from '../../core/identifiers.ts';
import { decodeRecord, type FailureRecord } from '../../core/records.ts';
import type { UserDirectory } from '../kit/cli.ts';
import { openProjectOf } from './open-project.ts';

/** What `jugq status --json` says. */
export interface StatusAnswer {
  readonly totals: Readonly<Record<string, number>>;
  readonly functions: Readonly<Record<string, Readonly<Record<string, number>> | undefined>>;
  readonly runs: readonly { readonly id: string; readonly state: string }[];
  readonly workers: readonly { readonly id: string; readonly pid: number }[];
  readonly notes: readonly string[];
}

export function statusOf(user: UserDirectory): Promise<StatusAnswer> {
  return user.json<StatusAnswer>('status', '--json');
}

/** The failure records of a project with one task a function, by function. */
export async function failureRecords(
  user: UserDirectory,
  server: { readonly url: string },
): Promise<Record<string, FailureRecord>> {
  await using project = await openProjectOf(user, server);
  const records: Record<string, FailureRecord> = {};
  for (const { key, value } of await project.failures.list()) {
    if (value === undefined) continue;
    records[splitTaskId(key as TaskId).functionName] = decodeRecord<FailureRecord>(value, key);
  }
  return records;
}
