/** `jugq status`: from the records of runs and workers; only `--times` and `--stale` read the heads of all results. */
import { setTimeout as delay } from 'node:timers/promises';
import { describeDifferences, readDifferences } from '../broker/differences.ts';
import { readWorkers } from '../broker/worker-records.ts';
import type { Graph } from '../core/graph.ts';
import {
  addCounts,
  countedStates,
  isOver,
  noCounts,
  valueFor,
  type Counts,
  type RunRecord,
} from '../core/records.ts';
import { checkLoaded } from './check-jugfile.ts';
import type { CommandContext } from './commands/base.ts';
import { formatShort, formatStatus } from './format-status.ts';
import type { Check, Status, WorkerStatus } from './library-types.ts';
import { lookAtJugfile } from './look-at-jugfile.ts';
import { allRuns, findRun, meantOf } from './runs.ts';
import type { Session } from './session.ts';
import { explainStillness } from './stillness.ts';
import { writeStatusPage } from './status-page.ts';
import { describeStale } from './stale-results.ts';
import { scanResults, type ScanFound } from './status-scan.ts';
import { readPlan } from './stored-plans.ts';
import { canRepaint } from './terminal.ts';

export interface StatusRequest {
  readonly jugfile: string | undefined;
  readonly args: readonly string[];
  readonly run: string | undefined;
  readonly all: boolean;
  readonly times: boolean;
  readonly stale: boolean;
  readonly watch: boolean;
  readonly json: boolean;
  readonly short: boolean;
  /** Whether the exit status says if everything is finished. */
  readonly exitCode: boolean;
  /** File for a page, instead of text. */
  readonly html: string | undefined;
  readonly context: CommandContext;
}

/** What is to be read. */
export type StatusQuestion = Pick<
  StatusRequest,
  'jugfile' | 'args' | 'run' | 'all' | 'times' | 'stale'
> & { readonly context: Pick<CommandContext, 'stderr' | 'interrupted'> };

const watchEveryMs = 1000;

/** Prints the status once or again and again. */
export async function showStatus(session: Session, request: StatusRequest): Promise<number> {
  const { context, watch } = request;
  const show = await shower(request);
  let status = await readStatus(session, request);
  await show.take(status);
  if (request.html !== undefined)
    context.stderr.write(`${watch ? 'writing' : 'wrote'} ${request.html}\n`);
  while (watch && !context.interrupted.aborted) {
    await pause(watchEveryMs, context.interrupted);
    status = await readStatus(session, request);
    await show.take(status);
  }
  show.end();
  return request.exitCode && !isAllFinished(status, request) ? 1 : 0;
}

interface Shower {
  take(status: Status): Promise<void> | void;
  end(): void;
}

/** Where a status goes: a page, a line of JSON, a display that is painted again, or text. */
async function shower({ context, html, json, short, watch }: StatusRequest): Promise<Shower> {
  const { stdout, cwd, env } = context;
  const end = (): void => undefined;
  if (html !== undefined) return { take: (status) => writeStatusPage(html, cwd, status), end };
  const text = json ? JSON.stringify : short ? formatShort : formatStatus;
  if (!watch || json || !canRepaint(stdout, env))
    return { take: (status) => void stdout.write(`${text(status)}\n`), end };
  const { startDisplay } = await import('./live-display.ts');
  const display = startDisplay(stdout);
  return {
    take: (status) => {
      display.paint(text(status));
    },
    end: () => {
      display.end();
    },
  };
}

/** Whether every task that is shown has a result, and no run can still declare more. */
function isAllFinished(
  { totals, runs }: Status,
  { jugfile, all }: Pick<StatusRequest, 'jugfile' | 'all'>,
): boolean {
  const others = countedStates.filter((state) => state !== 'finished');
  const isOpen = runs.some(({ state }) => state === 'planning' || state === 'parked');
  // What a run that ended early has left out is in no count, and neither is what was invalidated since.
  const isRunMeant = jugfile === undefined && !all;
  const isCut = runs.some(
    ({ state, invalidated }) =>
      state === 'failed' || state === 'cancelled' || invalidated !== undefined,
  );
  if (isRunMeant && isCut) return false;
  return others.every((state) => totals[state] === 0) && !isOpen;
}

/** How things stand now. */
export async function readStatus(session: Session, request: StatusQuestion): Promise<Status> {
  const { project } = session;
  const [records, workers] = await Promise.all([allRuns(project), readWorkers(project)]);
  const runs = await chooseRuns(session, request, records);
  const own =
    request.jugfile === undefined
      ? undefined
      : await surveyJugfile(session, request, request.jugfile);
  const functions = addRunning(own?.functions ?? sumFunctions(runs), workers);
  const found = await scanned(session, request, {
    functions: Object.keys(functions),
    graphs: () => (own === undefined ? graphsOf(session, runs) : Promise.resolve([own.graph])),
  });
  return {
    project: project.names.project,
    ...withStale(functions, found?.stale),
    ...(found?.times === undefined ? {} : { times: found.times }),
    runs: runs.map(({ id, state, jugfile, plannedAt, note, invalidated }) => ({
      id,
      state,
      jugfile,
      plannedAt,
      ...(invalidated === undefined ? {} : { invalidated }),
      ...(note === undefined ? {} : { note }),
    })),
    workers,
    notes: [
      ...(await explain(session, runs, workers)),
      ...(own === undefined ? runs : [own]).flatMap((each) => describeStale(each.stale)),
      ...(await warnings(session)),
    ],
  };
}

/** Only what is asked for costs a scan. */
async function scanned(
  session: Session,
  { times, stale }: StatusQuestion,
  of: { readonly functions: readonly string[]; readonly graphs: () => Promise<readonly Graph[]> },
): Promise<Partial<ScanFound> | undefined> {
  if (!times && !stale) return undefined;
  const staleIn = stale ? await of.graphs() : undefined;
  const found = await scanResults(session.project, { functions: of.functions, times, staleIn });
  return { ...(times ? { times: found.times } : {}), ...(stale ? { stale: found.stale } : {}) };
}

async function graphsOf(session: Session, runs: readonly RunRecord[]): Promise<Graph[]> {
  const plans = await Promise.all(runs.map((each) => readPlan(session.project, each)));
  return plans.flatMap((each) => each?.plan.graph ?? []);
}

function withStale(
  functions: Readonly<Record<string, Counts>>,
  stale: Readonly<Record<string, number>> | undefined,
): Pick<Status, 'totals' | 'functions'> {
  const totals = addCounts(Object.values(functions));
  if (stale === undefined) return { totals, functions };
  const all = Object.values(stale).reduce((sum, each) => sum + each, 0);
  const each = Object.entries(functions).map(
    ([name, counts]) => [name, { ...counts, stale: valueFor(stale, name) ?? 0 }] as const,
  );
  return { totals: { ...totals, stale: all }, functions: Object.fromEntries(each) };
}

async function chooseRuns(
  session: Session,
  request: Pick<StatusRequest, 'run' | 'all'>,
  records: readonly RunRecord[],
): Promise<readonly RunRecord[]> {
  if (request.run !== undefined) return [await findRun(session.project, request.run)];
  return request.all ? records : meantOf(records);
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
      sums[name] = addCounts([valueFor(sums, name) ?? noCounts(), counts]);
    }
  }
  return sums;
}

async function surveyJugfile(
  session: Session,
  { args, context }: Pick<StatusQuestion, 'args' | 'context'>,
  jugfile: string,
): Promise<Pick<Check, 'functions' | 'stale'> & { readonly graph: Graph }> {
  const loaded = await lookAtJugfile(session, { jugfile, args }, context);
  const { functions, stale } = await checkLoaded(session.project, loaded);
  return { functions, stale, graph: loaded.graph };
}

/** What runs was counted as ready; rows are sorted by name. */
function addRunning(
  functions: Readonly<Record<string, Counts>>,
  workers: readonly WorkerStatus[],
): Record<string, Counts> {
  const all: Record<string, Counts> = {};
  const sorted = Object.entries(functions).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, counts] of sorted) {
    const reported = workers.reduce((sum, each) => sum + runningIn(each, name), 0);
    const running = Math.min(reported, counts.ready);
    all[name] = { ...counts, running, ready: counts.ready - running };
  }
  return all;
}

/** What a silent worker said last is not what it does now. */
function runningIn(worker: WorkerStatus, name: string): number {
  return worker.silent ? 0 : (valueFor(worker.running, name) ?? 0);
}

async function explain(
  session: Session,
  runs: readonly RunRecord[],
  workers: readonly WorkerStatus[],
): Promise<string[]> {
  const living = workers.filter((each) => !each.silent);
  const notes = [...runs, ...living].flatMap((each) =>
    each.note === undefined ? [] : [each.note],
  );
  for (const { id, cancelled, dropped, invalidated } of runs) {
    notes.push(
      ...apart(invalidated, `invalidated after run ${id}`, 'plan again to have them anew'),
    );
    notes.push(...apart(cancelled, `cancelled in run ${id}`, 'plan again to have them after all'));
    notes.push(...apart(dropped, `dropped in run ${id}`, 'functions with keep: false'));
  }
  notes.push(...(await explainStillness(session, runs, living)));
  return [...new Set(notes)];
}

/** Tasks that are in none of the counts. */
function apart(counts: Readonly<Record<string, number>> = {}, what: string, why: string): string[] {
  const functions = Object.entries(counts).map(([name, count]) => `${count.toString()} ${name}`);
  return functions.length === 0 ? [] : [`${what}: ${functions.join(', ')}: ${why}`];
}

/** What went well and ought to be looked at all the same. */
async function warnings({ project }: Session): Promise<string[]> {
  const differences = describeDifferences(await readDifferences(project));
  return differences === undefined ? [] : [differences];
}

/** Ends early when it is interrupted, and leaves no listener behind. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
