/**
 * Follows a submitted run to its end, and plans it on whenever what its jugfile waits for is there.
 *
 * The evaluation stays as it is meanwhile, so nothing is evaluated twice. While this process lives, a key beside the
 * run's record says so, and nobody else evaluates the jugfile again; see `replan-run.ts`.
 */
import type { OpenProject } from '../broker/project.ts';
import { isJugqError } from '../core/errors.ts';
import { encodeRecord, isOver, recordFormat, type RunRecord } from '../core/records.ts';
import type { OpenJugfile } from './load-jugfile.ts';
import type { PlanRequest } from './plan-jugfile.ts';
import { optionsOf } from './plan-options.ts';
import { startProgress, type Progress } from './progress.ts';
import { progressLine } from './report.ts';
import { failRun } from './runs.ts';
import type { Session } from './session.ts';
import { submitNext, submitRun, type Submitted } from './submit-run.ts';
import { watchRun } from './watch-run.ts';

/** How often a planner says that it is there, and after how long without a word it is gone. */
const aliveEveryMs = 2000;
export const plannerGoneMs = 7000;

/** The key beside a run's record by which its planner says that it lives. */
export function plannerKey(run: string): string {
  return `${run}.planner`;
}

/**
 * Waits for the end of a run. One that the server has lost is submitted again.
 *
 * @throws JugqError of the jugfile, after which the run has failed; `INTERRUPTED`
 */
export async function carryOut(
  session: Session,
  request: PlanRequest,
  planned: { readonly jugfile: OpenJugfile; readonly submitted: Submitted },
): Promise<RunRecord> {
  const { jugfile } = planned;
  let { record } = planned.submitted;
  // What somebody else has planned on is theirs: it is only waited for.
  let isOurs = true;
  const progress = request.json ? undefined : await startProgress(request.context);
  const sign = setInterval(() => {
    if (record.waits !== undefined && isOurs) tellAlive(session.project, record.id);
  }, aliveEveryMs);
  if (record.waits !== undefined) tellAlive(session.project, record.id);
  try {
    while (!isOver(record.state)) {
      try {
        const planner = isOurs ? jugfile : undefined;
        record = await waitForMove(session, request, { record, progress, planner });
        if (isOver(record.state) || !isOurs) continue;
        if (jugfile.loaded.waits.length === 0) {
          // The result of a compound has gone, and what has come to its end expands none: it is evaluated anew.
          isOurs = false;
          await tellGone(session.project, record.id);
          continue;
        }
        const before = jugfile.loaded.graph.count;
        const loaded = await planOn(session, jugfile, record);
        const next = await submitNext(session.project, loaded, record);
        isOurs = next !== undefined;
        record = next ?? record;
        progress?.print(`${plannedOn(loaded.graph.count - before, record)}\n`);
      } catch (error) {
        if (!isJugqError(error, 'UNKNOWN_RUN') || error.fields['lost'] !== true) throw error;
        request.context.stderr.write('the server came back without the run: planning it again\n');
        await session.restore();
        ({ record } = await submitRun(
          session.project,
          jugfile.loaded,
          optionsOf(request, jugfile.loaded),
        ));
      }
    }
    return record;
  } finally {
    clearInterval(sign);
    progress?.end();
    if (planned.submitted.record.waits !== undefined) await tellGone(session.project, record.id);
  }
}

interface Waiting {
  /** As it was last planned. */
  readonly record: RunRecord;
  readonly progress: Progress | undefined;
  /** Undefined: somebody else plans the run. */
  readonly planner: OpenJugfile | undefined;
}

/**
 * Until the run is over, or can be planned on: what its jugfile waits for is there, or the jugfile has come to its end
 * without it, as one does whose own timer or request goes on meanwhile, and throws.
 *
 * @returns the record as it is then, or as it was when it was last planned
 */
async function waitForMove(
  session: Session,
  request: PlanRequest,
  waiting: Waiting,
): Promise<RunRecord> {
  const { record, planner } = waiting;
  const enough = new AbortController();
  const moved = watchForMove(session, request, { ...waiting, signal: enough.signal });
  // One that is whole has told its end before.
  if (planner === undefined || planner.loaded.waits.length === 0) return moved;
  try {
    return await Promise.race([moved, planner.ended.then(() => record)]);
  } finally {
    enough.abort();
  }
}

function watchForMove(
  session: Session,
  request: PlanRequest,
  { record, progress, planner, signal }: Waiting & { readonly signal: AbortSignal },
): Promise<RunRecord> {
  const { context, json } = request;
  return watchRun(session.project, {
    run: record.id,
    signal: AbortSignal.any([context.interrupted, signal]),
    until: ({ state, step, awake }) =>
      isOver(state) || (planner !== undefined && awake === step && step === record.step),
    onChange: (view) => {
      progress?.update(view);
      if (json) context.stdout.write(progressLine(view.record));
    },
  });
}

async function planOn(
  session: Session,
  jugfile: OpenJugfile,
  record: RunRecord,
): Promise<OpenJugfile['loaded']> {
  try {
    return await jugfile.advance();
  } catch (error) {
    if (isJugqError(error) && error.code !== 'INTERRUPTED')
      await failRun(session.project, record, error.message);
    throw error;
  }
}

function plannedOn(added: number, record: RunRecord): string {
  const more = `${added.toString()} more ${added === 1 ? 'task' : 'tasks'}`;
  return record.waits === undefined
    ? `planned on: ${more}, to the end`
    : `planned on: ${more}, up to ${record.waits}`;
}

/** A sign that could not be given is given again in a moment; at worst somebody else plans on. */
function tellAlive(project: OpenProject, run: string): void {
  const record = { format: recordFormat, at: new Date().toISOString() };
  project.runs.put(plannerKey(run), encodeRecord(record)).catch(() => undefined);
}

async function tellGone(project: OpenProject, run: string): Promise<void> {
  // Without this word the planner is taken for gone a few seconds later.
  await project.runs.delete(plannerKey(run)).catch(() => undefined);
}
