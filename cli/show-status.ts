/** `jugq status`: from the runs' records, the workers' records and the lease; no scan of results. */
import { ulid } from 'ulid';
import colors from 'picocolors';
import { createLogUpdate } from 'log-update';
import { findShortages } from '../broker/room.ts';
import { readWorkers, type SeenWorker } from '../broker/worker-records.ts';
import type { RunId } from '../core/identifiers.ts';
import { describeDifferences, readDifferences } from '../broker/differences.ts';
import {
  addCounts,
  countedStates,
  isOver,
  noCounts,
  type Counts,
  type RunRecord,
} from '../core/records.ts';
import { countsByFunction } from '../core/run-outlook.ts';
import type { CommandContext } from './commands/base.ts';
import { loadJugfile } from './load-jugfile.ts';
import { newestArguments } from './get-result.ts';
import { loneliness, lonelyQueues } from './lonely-queues.ts';
import { allRuns, findRun, isActive } from './runs.ts';
import type { Session } from './session.ts';
import { survey } from './submit-run.ts';
import { formatTable } from './table.ts';

export interface StatusRequest {
  readonly jugfile: string | undefined;
  readonly args: readonly string[];
  readonly run: string | undefined;
  readonly all: boolean;
  readonly watch: boolean;
  readonly json: boolean;
  readonly context: CommandContext;
}

/** The whole answer: what `--json` prints. */
export interface Status {
  readonly project: string;
  readonly totals: Counts;
  readonly functions: Readonly<Record<string, Counts>>;
  readonly runs: readonly {
    readonly id: string;
    readonly state: string;
    readonly jugfile: string;
    readonly plannedAt: string;
    readonly note?: string;
  }[];
  readonly workers: readonly SeenWorker[];
  /** Why nothing moves, as far as that can be told. */
  readonly notes: readonly string[];
}

const watchEveryMs = 1000;

/** Prints the status once or again and again. */
export async function showStatus(session: Session, request: StatusRequest): Promise<number> {
  const { context, json } = request;
  const { stdout } = context;
  if (!request.watch) {
    const status = await readStatus(session, request);
    stdout.write(`${json ? JSON.stringify(status) : formatStatus(status)}\n`);
    return 0;
  }
  const live = !json && stdout.isTTY === true;
  const display = live ? createLogUpdate(stdout) : undefined;
  while (!context.interrupted.aborted) {
    const status = await readStatus(session, request);
    if (display !== undefined) display(formatStatus(status));
    else stdout.write(`${json ? JSON.stringify(status) : formatStatus(status)}\n`);
    await pause(watchEveryMs, context.interrupted);
  }
  display?.done();
  return 0;
}

/** How things stand now. */
export async function readStatus(
  session: Session,
  request: Pick<StatusRequest, 'jugfile' | 'args' | 'run' | 'all' | 'context'>,
): Promise<Status> {
  const { project } = session;
  const [records, workers] = await Promise.all([allRuns(project), readWorkers(project)]);
  const runs = await chooseRuns(session, request, records);
  const functions =
    request.jugfile === undefined
      ? sumFunctions(runs)
      : await surveyJugfile(session, request, request.jugfile);
  const withRunning = addRunning(functions, workers);
  return {
    project: project.names.project,
    totals: addCounts(Object.values(withRunning)),
    functions: withRunning,
    runs: runs.map(({ id, state, jugfile, plannedAt, note }) => ({
      id,
      state,
      jugfile,
      plannedAt,
      ...(note === undefined ? {} : { note }),
    })),
    workers,
    notes: [...(await explain(session, runs, workers)), ...(await warnings(session))],
  };
}

async function chooseRuns(
  session: Session,
  request: Pick<StatusRequest, 'run' | 'all'>,
  records: readonly RunRecord[],
): Promise<readonly RunRecord[]> {
  if (request.run !== undefined) return [await findRun(session.project, request.run)];
  if (request.all) return records;
  const active = records.filter(isActive);
  return active.length > 0 ? active : records.slice(-1);
}

/**
 * Tasks that several runs declare are counted in each: their records do not say which they share.
 *
 * In a run that was cancelled, or ended by its first failure, nothing waits any more.
 */
function sumFunctions(runs: readonly RunRecord[]): Record<string, Counts> {
  const sums: Record<string, Counts> = {};
  for (const run of runs) {
    if (run.state === 'cancelled' && runs.length > 1) continue;
    for (const [name, last] of Object.entries(run.functions)) {
      const counts = isOver(run.state) ? { ...last, waiting: 0, ready: 0 } : last;
      sums[name] = addCounts([sums[name] ?? noCounts(), counts]);
    }
  }
  return Object.fromEntries(Object.entries(sums).sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function surveyJugfile(
  session: Session,
  request: Pick<StatusRequest, 'args' | 'context'>,
  jugfile: string,
): Promise<Record<string, Counts>> {
  const { stderr, interrupted } = request.context;
  const loaded = await loadJugfile(jugfile, {
    cwd: session.cwd,
    args: request.args.length > 0 ? request.args : await newestArguments(session, jugfile),
    external: session.settings.external,
    store: session.store,
    onWarning: () => undefined,
    onProgress: (tasks) => stderr.write(`planning: ${tasks.toString()} tasks so far\n`),
    signal: interrupted,
  });
  const { progress } = await survey(session.project, loaded, {
    id: ulid() as RunId,
    keepFailed: true,
  });
  return countsByFunction(progress);
}

/** What runs was counted as ready. */
function addRunning(
  functions: Readonly<Record<string, Counts>>,
  workers: readonly SeenWorker[],
): Record<string, Counts> {
  const all: Record<string, Counts> = {};
  for (const [name, counts] of Object.entries(functions)) {
    const reported = workers.reduce((sum, each) => sum + runningIn(each, name), 0);
    const running = Math.min(reported, counts.ready);
    all[name] = { ...counts, running, ready: counts.ready - running };
  }
  return all;
}

/** What a silent worker said last is not what it does now. */
function runningIn(worker: SeenWorker, name: string): number {
  return worker.silent ? 0 : (worker.running[name] ?? 0);
}

async function explain(
  session: Session,
  runs: readonly RunRecord[],
  workers: readonly SeenWorker[],
): Promise<string[]> {
  const living = workers.filter((each) => !each.silent);
  const notes = [...runs, ...living].flatMap((each) =>
    each.note === undefined ? [] : [each.note],
  );
  const active = runs.filter(isActive);
  if (active.length === 0) return [...new Set(notes)];
  notes.push(...loneliness(lonelyQueues(active, living), living.length));
  notes.push(...(await findShortages(session.project)));
  return [...new Set(notes)];
}

/** What went well and ought to be looked at all the same. */
async function warnings({ project }: Session): Promise<string[]> {
  const differences = describeDifferences(await readDifferences(project));
  return differences === undefined ? [] : [differences];
}

function formatStatus(status: Status): string {
  const rows = Object.entries(status.functions).map(([name, counts]) => [
    name,
    ...countedStates.map((state) => counts[state]),
  ]);
  const totals = ['total', ...countedStates.map((state) => status.totals[state])];
  const parts = [
    formatTable(['function', ...countedStates], rows.length > 1 ? [...rows, totals] : rows),
  ];
  for (const run of status.runs)
    parts.push(`run ${run.id}  ${run.state}  ${run.jugfile}  planned ${run.plannedAt}`);
  if (status.runs.length === 0)
    parts.push(
      `project ${status.project} has no runs yet: plan a jugfile with jugq plan, or jugq run it`,
    );
  for (const worker of status.workers) {
    const running = Object.values(worker.running).reduce((sum, each) => sum + each, 0);
    const doing = worker.silent
      ? 'silent: killed, asleep or cut off'
      : `${running.toString()} of ${worker.threads.toString()} threads busy`;
    parts.push(`worker ${worker.id}  ${doing}  queues ${worker.queues.join(', ')}`);
    for (const { task, fraction, note = '' } of worker.progress ?? [])
      parts.push(`  ${task}  ${Math.round(fraction * 100).toString()} %  ${note}`.trimEnd());
  }
  for (const note of status.notes) parts.push(colors.yellow(`! ${note}`));
  return parts.join('\n');
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
