/**
 * Submits a run that has ended once more, from its stored plan: without its jugfile, which may be on another machine.
 *
 * What failed and is not cleared stays failed. The code is that of the plan: who has mended a function plans again.
 */
import { hostname } from 'node:os';
import { ulid } from 'ulid';
import type { OpenProject } from '../broker/project.ts';
import type { RunId } from '../core/identifiers.ts';
import { encodeRecord, type RunRecord } from '../core/records.ts';
import { countsByFunction, executedAndCached } from '../core/run-outlook.ts';
import type { StoredPlan } from './stored-plans.ts';
import { survey } from './submit-run.ts';

/**
 * Submits a run again.
 *
 * @returns the record of the new run
 * @throws JugqError `SERVER_FULL`, `SERVER_FAILED`
 */
export async function resubmitRun(
  project: OpenProject,
  { record, plan }: StoredPlan,
): Promise<RunRecord> {
  const id = ulid() as RunId;
  const { targets, failFast } = record;
  const planned = { ...plan, bundle: { digest: plan.code, code: undefined } };
  const { progress, stale } = await survey(project, planned, {
    id,
    keepFailed: true,
    targets,
    failFast,
  });
  const { endedAt: _ended, note: _note, awake: _awake, ...before } = record;
  const {
    cancelling: _cancelling,
    cancelled: _cancelled,
    dropped: _dropped,
    invalidated: _invalidated,
    stale: _stale,
    ...rest
  } = before;
  const again: RunRecord = {
    ...rest,
    id,
    state: plan.waits.length > 0 ? 'parked' : 'running',
    host: hostname(),
    pid: process.pid,
    plannedAt: new Date().toISOString(),
    basis: progress.basis,
    functions: countsByFunction(progress),
    ...(Object.keys(stale).length === 0 ? {} : { stale }),
    executed: 0,
    cached: executedAndCached(progress).cached,
    published: 0,
    epoch: 0,
  };
  await project.runs.put(id, encodeRecord(again), 0);
  return again;
}
