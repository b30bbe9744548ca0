/** `jugq plan`: load, submit, and see that somebody carries on. */
import { isDeepStrictEqual } from 'node:util';
import { JugqError } from '../core/errors.ts';
import type { RunId } from '../core/identifiers.ts';
import { parsePatterns } from '../core/patterns.ts';
import { isOver, valueFor, type RunRecord } from '../core/records.ts';
import { carryOut } from './carry-out.ts';
import type { CommandContext } from './commands/base.ts';
import type { Hooks } from './hooks.ts';
import { openJugfile, type LoadedJugfile, type OpenJugfile } from './load-jugfile.ts';
import { optionsOf } from './plan-options.ts';
import { functionColumns, functionRows } from './function-rows.ts';
import { failuresOf } from './failures.ts';
import { formatFailures, formatSummary, nothingToRun, summaryOf } from './report.ts';
import { retryCommand } from './retry-command.ts';
import { activeRuns, wishCancelled } from './runs.ts';
import type { Session } from './session.ts';
import { describeStale } from './stale-results.ts';
import { submitRun, type Submitted } from './submit-run.ts';
import { formatTable } from './table.ts';
import { watchRun } from './watch-run.ts';

export interface PlanRequest {
  readonly jugfile: string;
  readonly args: readonly string[];
  readonly keepFailed: boolean;
  readonly replace: boolean;
  /** Patterns; none: all tasks. */
  readonly targets: readonly string[];
  readonly failFast: boolean;
  readonly json: boolean;
  readonly hooks: Hooks;
  readonly context: CommandContext;
}

/** A dispatcher that has not begun with a run after this long is named as the one that is waited for. */
const beginMs = 10_000;

/** Loads the jugfile that a request names, as far as the stored results go. */
export async function openRequested(session: Session, request: PlanRequest): Promise<OpenJugfile> {
  const { stderr, interrupted } = request.context;
  // What cannot be read is told before anything is evaluated.
  parsePatterns(request.targets);
  const jugfile = await openJugfile(request.jugfile, {
    cwd: session.cwd,
    args: request.args,
    external: session.settings.external,
    store: session.store,
    onWarning: (message) => stderr.write(`warning: ${message}\n`),
    onProgress: (tasks) => stderr.write(`planning: ${tasks.toString()} tasks so far\n`),
    signal: interrupted,
  });
  const { path, args, graph } = jugfile.loaded;
  request.hooks.emit('jugfile:loaded', { jugfile: path, args, tasks: graph.count });
  return jugfile;
}

/** Submits a loaded jugfile, and says what it means for runs that are active. */
export async function submitRequested(
  session: Session,
  request: PlanRequest,
  loaded: LoadedJugfile,
): Promise<Submitted> {
  const { stderr } = request.context;
  const active = await activeRuns(session.project);
  const submitted = await submitRun(session.project, loaded, optionsOf(request, loaded));
  const { id: run, jugfile, cached, state: now } = submitted.record;
  request.hooks.emit('run:planned', { run, jugfile, tasks: loaded.graph.count, cached });
  if (submitted.complete) request.hooks.emit('run:ended', { run, state: now });
  for (const line of describeStale(submitted.record.stale)) stderr.write(`${line}\n`);
  for (const run of active) {
    if (run.jugfile !== loaded.name) {
      for (const name of changedFunctions(run, submitted.record)) {
        stderr.write(
          `warning: run ${run.id} of ${run.jugfile} declares ${name} with other code: tasks that both declare run with the code of this plan\n`,
        );
      }
    } else if (request.replace) {
      await wishCancelled(session.project, run.id, { finish: false });
      stderr.write(`run ${run.id} of the same jugfile is cancelled\n`);
    } else if (run.state !== 'planning' && !submitted.complete) {
      const others = isDeepStrictEqual(run.args, loaded.args) ? '' : ', with other arguments,';
      stderr.write(
        `run ${run.id} of the same jugfile${others} is still active and goes on: cancel it with jugq cancel ${run.id}, or plan with --replace\n`,
      );
    }
  }
  return submitted;
}

/** Functions that two runs both declare, with different code. */
function changedFunctions(a: RunRecord, b: RunRecord): string[] {
  return Object.entries(a.fingerprints)
    .filter(
      ([name, fingerprint]) => (valueFor(b.fingerprints, name) ?? fingerprint) !== fingerprint,
    )
    .map(([name]) => name);
}

/** Publishes what is ready and returns, or waits for the end. */
export async function planJugfile(
  session: Session,
  request: PlanRequest,
  options: { readonly wait: boolean },
): Promise<number> {
  const { context } = request;
  const startedAt = performance.now();
  const jugfile = await openRequested(session, request);
  try {
    const submitted = await submitRequested(session, request, jugfile.loaded);
    const { record } = submitted;
    if (!request.json) context.stdout.write(`${formatPlanned(submitted)}\n`);
    if (submitted.complete)
      return await conclude(session, request, { loaded: jugfile.loaded, record, startedAt });
    if (!options.wait) await jugfile.close();
    const dispatcher = session.startDispatcher(request.hooks.see);
    try {
      if (options.wait) {
        const last = await carryOut(session, request, { jugfile, submitted });
        return await conclude(session, request, {
          loaded: jugfile.loaded,
          record: last,
          startedAt,
        });
      }
      // However quick the workers are: whoever does not wait is told what was published, not how it ended.
      const begun = await waitForPublished(session, record.id, context);
      if (request.json) {
        const summary = summaryOf(begun, (performance.now() - startedAt) / 1000);
        context.stdout.write(`${JSON.stringify(summary)}\n`);
      }
      return 0;
    } finally {
      await dispatcher.stop();
    }
  } finally {
    await jugfile.close();
  }
}

/** Prints the end of a run and gives the exit status. */
export async function conclude(
  session: Session,
  request: PlanRequest,
  ended: { readonly loaded: LoadedJugfile; readonly record: RunRecord; readonly startedAt: number },
): Promise<number> {
  const { context, json } = request;
  const summary = summaryOf(ended.record, (performance.now() - ended.startedAt) / 1000);
  const failures = summary.failed > 0 ? await failuresOf(session.project, ended.loaded.graph) : [];
  if (failures.length > 0) {
    context.stderr.write(`${formatFailures(failures, retryCommand(context.argv))}\n`);
  }
  const { state, note } = ended.record;
  if (state === 'failed' && note !== undefined) context.stderr.write(`${note}\n`);
  if (json) context.stdout.write(`${JSON.stringify(summary)}\n`);
  else if (isOver(ended.record.state)) context.stderr.write(`${formatSummary(summary)}\n`);
  if (ended.record.state === 'cancelled') {
    context.stderr.write(`run ${ended.record.id} was cancelled\n`);
    return 1;
  }
  return state === 'failed' ? 1 : 0;
}

/** A dispatcher that is elsewhere may take a moment; the run is stored and begins without us. */
async function waitForPublished(
  session: Session,
  run: RunId,
  context: CommandContext,
): Promise<RunRecord> {
  let last: RunRecord | undefined;
  try {
    return await watchRun(session.project, {
      run,
      signal: context.interrupted,
      timeoutMs: beginMs,
      onChange: ({ record }) => {
        last = record;
      },
      until: (record) => record.epoch > 0 || isOver(record.state),
    });
  } catch (error) {
    if (!(error instanceof JugqError) || error.code !== 'TIMED_OUT' || last === undefined)
      throw error;
    context.stderr.write(
      `run ${run} is stored; its dispatcher has not begun with it yet: see jugq status\n`,
    );
    return last;
  }
}

function formatPlanned(submitted: Submitted): string {
  const rows = functionRows(submitted.progress);
  const { head, cells } = functionColumns(rows, 'to run');
  const { id, waits } = submitted.record;
  const lines = [`run ${id}`];
  if (rows.length > 0) lines.push(formatTable(head, rows.map(cells)));
  if (submitted.complete) lines.push(nothingToRun(submitted.record));
  else if (waits !== undefined) lines.push(`planning waits at ${waits}, and goes on from there`);
  return lines.join('\n');
}
