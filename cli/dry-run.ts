/** `plan --dry-run`: what would run and why, how large it is, and how long it would take. Nothing is changed. */
import { readWorkers } from '../broker/worker-records.ts';
import { scanHeads } from '../broker/result-heads.ts';
import { forecast, makespanMs, type Forecast } from '../core/forecast.ts';
import { idOf } from '../core/graph.ts';
import { splitTaskId, type RunId } from '../core/identifiers.ts';
import type { RunProgress } from '../core/run-progress.ts';
import { formatBytes, formatMs } from './amounts.ts';
import { functionColumns, functionRows, willRun, type FunctionRow } from './function-rows.ts';
import { optionsOf } from './plan-options.ts';
import { openRequested, type PlanRequest } from './plan-jugfile.ts';
import { allThere, countOf } from './report.ts';
import type { Session } from './session.ts';
import { describeStale } from './stale-results.ts';
import { survey, type Survey } from './submit-run.ts';
import { formatTable } from './table.ts';

/** One function of a plan, with what its earlier results tell. */
interface FunctionForecast extends FunctionRow {
  /** Bytes of the arguments of those that would run. */
  readonly argumentBytes: number;
  /** Of earlier results; absent: there is none. */
  readonly meanMs?: number;
  /** Absent also where some of them are large. */
  readonly meanResultBytes?: number;
}

interface Threads {
  readonly workers: number;
  readonly threads: number;
}

/** Prints the forecast. */
export async function dryRun(session: Session, request: PlanRequest): Promise<number> {
  const { context, json } = request;
  const jugfile = await openRequested(session, request);
  await jugfile.close();
  const id = 'DRYRUN' as RunId;
  const options = optionsOf(request, jugfile.loaded);
  const { progress, stale, failed } = await survey(session.project, jugfile.loaded, {
    id,
    ...options,
  });
  const functions = await forecastFunctions(session, progress);
  const found = forecast({
    graph: progress.plan.graph,
    runs: (task) => willRun(progress, task),
    meanMs: functions.map((each) => each.meanMs),
  });
  const present = await threadsFor(session, progress);
  const reasons = reasonsOf(progress, failed);
  const parkedAt = jugfile.loaded.waits.map((each) => each.place);
  const dry = { functions, stale, found, present, reasons, parkedAt };
  const text = json ? JSON.stringify(asDocument(dry)) : format(dry);
  context.stdout.write(`${text}\n`);
  return 0;
}

interface DryRun {
  readonly functions: readonly FunctionForecast[];
  /** Results made by other code, by function. */
  readonly stale: Readonly<Record<string, number>>;
  readonly found: Forecast;
  readonly present: Threads;
  readonly reasons: readonly { readonly task: string; readonly why: string }[];
  readonly parkedAt: readonly string[];
}

/** Only functions of which something would run are looked up. */
async function forecastFunctions(
  session: Session,
  progress: RunProgress,
): Promise<FunctionForecast[]> {
  const rows = functionRows(progress);
  const running = rows.filter((each) => each.run > 0).map((each) => each.name);
  const seen = new Map(running.map((name) => [name, { results: 0, ms: 0, inline: 0, bytes: 0 }]));
  if (running.length > 0) {
    await scanHeads(session.project, running, ({ id, facts, bytes, isBlob }) => {
      const sum = seen.get(splitTaskId(id).functionName);
      if (sum === undefined || facts === undefined) return;
      sum.results++;
      sum.ms += facts.ms;
      // Of a large value the head tells only how large its reference is.
      if (isBlob) return;
      sum.inline++;
      sum.bytes += bytes;
    });
  }
  const argumentBytes = argumentBytesOf(progress);
  return rows.map((each, position) => {
    const { results = 0, ms = 0, inline = 0, bytes = 0 } = seen.get(each.name) ?? {};
    return {
      ...each,
      argumentBytes: argumentBytes[position] ?? 0,
      ...(results === 0 ? {} : { meanMs: ms / results }),
      ...(results === 0 || inline < results ? {} : { meanResultBytes: bytes / results }),
    };
  });
}

function argumentBytesOf(progress: RunProgress): number[] {
  const { graph } = progress.plan;
  const bytes = graph.functions.map(() => 0);
  for (let task = 0; task < graph.count; task++) {
    if (!willRun(progress, task)) continue;
    const fn = graph.functionOf[task] ?? 0;
    const length = (graph.argumentStart[task + 1] ?? 0) - (graph.argumentStart[task] ?? 0);
    bytes[fn] = (bytes[fn] ?? 0) + length;
  }
  return bytes;
}

/** Of the workers that take any of the queues that the plan needs. */
async function threadsFor({ project }: Session, progress: RunProgress): Promise<Threads> {
  const { graph } = progress.plan;
  const queues = new Set(graph.functions.map((each) => each.queue));
  const workers = (await readWorkers(project)).filter(
    (each) => !each.silent && each.queues.some((queue) => queues.has(queue)),
  );
  return {
    workers: workers.length,
    threads: workers.reduce((sum, each) => sum + each.threads, 0),
  };
}

function reasonsOf(
  progress: RunProgress,
  failed: Survey['failed'],
): { task: string; why: string }[] {
  const { graph } = progress.plan;
  const all: { task: string; why: string }[] = [];
  for (let task = 0; task < graph.count; task++) {
    if (!willRun(progress, task)) continue;
    const id = idOf(graph, task);
    const waits = progress.missing[task] ?? 0;
    // The last entry of its key is a marker.
    const isGone = (progress.revision[task] ?? 0) > 0;
    const own = failed.has(id)
      ? 'it failed before'
      : isGone
        ? 'its result was dropped or invalidated'
        : 'no result yet';
    const why = waits === 0 ? own : `${waits.toString()} of its dependencies will run first`;
    all.push({ task: id, why });
  }
  return all;
}

/** Functions of which something would run and nobody knows how long it takes. */
function unknownIn(functions: readonly FunctionForecast[]): string[] {
  return functions
    .filter(({ run, meanMs }) => run > 0 && meanMs === undefined)
    .map((each) => each.name);
}

function asDocument({ functions, stale, found, present, reasons, parkedAt }: DryRun): object {
  const { threads } = present;
  return {
    kind: 'dry-run',
    tasks: reasons,
    functions: Object.fromEntries(functions.map(({ name, ...each }) => [name, each])),
    stale,
    ...found,
    /** Without them the times are too short. */
    unknown: unknownIn(functions),
    ...present,
    ...(threads > 0 ? { expectedMs: makespanMs(found, threads) } : {}),
    ...(parkedAt.length > 0 ? { parkedAt } : {}),
  };
}

const shownMax = 20;

function format({ functions, stale, found, present, reasons, parkedAt }: DryRun): string {
  const columns = functionColumns(functions, 'would run');
  const rows = functions.map((each) => {
    const { run, argumentBytes, meanResultBytes, meanMs } = each;
    return [
      ...columns.cells(each),
      run === 0 ? '' : formatBytes(argumentBytes),
      run === 0 || meanResultBytes === undefined
        ? ''
        : formatBytes(Math.round(run * meanResultBytes)),
      run === 0 || meanMs === undefined ? '' : formatMs(meanMs),
    ];
  });
  const head = [...columns.head, 'arguments', 'results', 'takes'];
  const lines = rows.length > 0 ? [formatTable(head, rows)] : [];
  if (reasons.length === 0 && parkedAt.length === 0) lines.push(nothingWouldRun(functions));
  lines.push(...describeStale(stale));
  for (const { task, why } of reasons.slice(0, shownMax)) lines.push(`${task}: ${why}`);
  const more = reasons.length - shownMax;
  if (more > 0) lines.push(`… and ${more.toString()} more: see all with --json`);
  for (const place of parkedAt)
    lines.push(`planning waits at ${place}: what comes after it is not known yet`);
  return [...lines, ...times({ functions, found, present })].join('\n');
}

function nothingWouldRun(functions: readonly FunctionForecast[]): string {
  if (functions.length === 0) return 'nothing would run: no tasks are declared';
  const isWhole = functions.every(({ tasks, there, dropped }) => tasks === there + dropped);
  return isWhole
    ? `nothing would run: ${allThere(functions.some((each) => each.dropped > 0))}`
    : 'nothing would run: what has no result is not wanted, or failed before';
}

/** Said only of what is known: a first run has no times. */
function times({ functions, found, present }: Pick<DryRun, 'functions' | 'found' | 'present'>) {
  const isKnown = functions.some(({ run, meanMs }) => run > 0 && meanMs !== undefined);
  if (!isKnown) return [];
  const path = found.criticalPath
    .map(({ function: name, tasks }) => (tasks === 1 ? name : `${name} ×${tasks.toString()}`))
    .join(' → ');
  const { workers, threads } = present;
  const unknown = unknownIn(functions);
  return [
    `all of it takes ${formatMs(found.workMs)} on one thread, the longest chain ${formatMs(found.criticalMs)}: ${path}`,
    threads === 0
      ? 'no worker is there'
      : `about ${formatMs(makespanMs(found, threads))} on the ${countOf(threads, 'thread')} of ${countOf(workers, 'worker')} that are there`,
    ...(unknown.length > 0
      ? [`not counted, because nobody knows how long they take: ${unknown.join(', ')}`]
      : []),
  ];
}
