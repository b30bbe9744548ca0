/** The record that a planner leaves behind which died while it planned. */
import { ulid } from 'ulid';
import type { OpenProject } from '../../broker/project.ts';
import type { RunId } from '../../core/identifiers.ts';
import { encodeRecord, noCounts, recordFormat, type RunRecord } from '../../core/records.ts';

/** Writes the record of a run whose planning began some time ago. */
export async function putPlanning(
  project: OpenProject,
  { agoMs }: { readonly agoMs: number },
): Promise<RunId> {
  const id = ulid() as RunId;
  const record: RunRecord = {
    format: recordFormat,
    id,
    state: 'planning',
    jugfile: 'new.ts',
    args: ['7'],
    host: 'elsewhere',
    pid: 1,
    plannedAt: new Date(Date.now() - agoMs).toISOString(),
    code: '',
    step: 0,
    basis: 0,
    functions: { f: noCounts() },
    fingerprints: {},
    queues: {},
    executed: 0,
    cached: 0,
    published: 0,
    epoch: 0,
  };
  await project.runs.put(id, encodeRecord(record));
  return id;
}
