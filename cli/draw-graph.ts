/** `jugq graph`: draws what a jugfile declares, coloured by how far it is. */
import { statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ulid } from 'ulid';
import { readWorkers } from '../broker/worker-records.ts';
import { JugqError } from '../core/errors.ts';
import { cancelMatching } from '../core/cancel-tasks.ts';
import type { Graph } from '../core/graph.ts';
import { parsePatterns } from '../core/patterns.ts';
import type { RunId } from '../core/identifiers.ts';
import { valueFor, type Counts } from '../core/records.ts';
import { countsByFunction } from '../core/run-outlook.ts';
import type { RunProgress } from '../core/run-progress.ts';
import type { CommandContext } from './commands/base.ts';
import { drawFunctions, drawTasks, toDot, toMermaid, type Drawing } from './graph-drawing.ts';
import { escapeHtml } from './html-text.ts';
import { layOut } from './layout-graph.ts';
import { lookAtJugfile } from './look-at-jugfile.ts';
import { countOf } from './report.ts';
import { findRun } from './runs.ts';
import type { Session } from './session.ts';
import { stateColours } from './state-colours.ts';
import { readPlan } from './stored-plans.ts';
import { survey, type Planned } from './submit-run.ts';

export type GraphFormat = 'svg' | 'dot' | 'mermaid' | 'html';

export interface GraphRequest {
  /** A jugfile, or the beginning of a run's id; undefined: the newest run. */
  readonly what: string | undefined;
  readonly args: readonly string[];
  readonly format: GraphFormat;
  /** A box for each task instead of each function. */
  readonly tasks: boolean;
  /** Boxes and arrows that may be placed in a picture; undefined: the default. */
  readonly limit: number | undefined;
  /** File to write to; undefined: stdout. */
  readonly output: string | undefined;
  readonly json: boolean;
  readonly context: CommandContext;
}

/** Boxes and arrows that Graphviz places within seconds if they are in some order; ten times as many may take it hours. */
const placedMax = 20_000;

/** Draws a graph into a file, or onto stdout. */
export async function drawGraph(session: Session, request: GraphRequest): Promise<number> {
  const { context, output } = request;
  const { title, planned, cancelling = [] } = await findPlanned(session, request);
  if (request.tasks) refuseTooMany(planned.graph, request);
  const run = { id: ulid() as RunId, keepFailed: true };
  const { progress } = await survey(session.project, planned, run);
  if (cancelling.length > 0) cancelMatching(progress, parsePatterns(cancelling));
  const drawing = request.tasks
    ? drawTasks(progress)
    : drawFunctions(planned.graph, await countsNow(session, progress));
  const text = request.json
    ? `${JSON.stringify(drawing)}\n`
    : await render(drawing, request, title);
  if (output === undefined) context.stdout.write(text);
  else await write(output, context, text);
  return 0;
}

/** @throws JugqError `USAGE` if they are more than Graphviz can be expected to place; the languages hold any number */
function refuseTooMany(graph: Graph, { format, json, limit = placedMax }: GraphRequest): void {
  const arrows = graph.dependencies.items.length;
  const all = graph.count + arrows;
  if (json || format === 'dot' || format === 'mermaid' || all <= limit) return;
  throw new JugqError(
    'USAGE',
    `--tasks: placing ${countOf(graph.count, 'box', 'boxes')} and ${countOf(arrows, 'arrow')} may take for ever (the limit is ${limit.toString()} in all): leave it out to draw the functions, write dot or mermaid, or give --limit ${all.toString()}`,
  );
}

interface Drawn {
  readonly title: string;
  readonly planned: Planned;
  /** Patterns of the tasks that somebody has cancelled in the run. */
  readonly cancelling?: readonly string[] | undefined;
}

async function findPlanned(
  session: Session,
  { what, args, context }: GraphRequest,
): Promise<Drawn> {
  if (what !== undefined && isMeantAsFile(resolve(session.cwd, what))) {
    return { title: what, planned: await lookAtJugfile(session, { jugfile: what, args }, context) };
  }
  const record = await findRun(session.project, what);
  const stored = await readPlan(session.project, record);
  if (stored === undefined) {
    const message = `the plan of run ${record.id} is not stored: plan ${record.jugfile} again`;
    throw new JugqError('UNKNOWN_RUN', message);
  }
  const bundle = { digest: stored.plan.code, code: undefined };
  const { cancelling } = record;
  const title = `${record.jugfile}, run ${record.id}`;
  return { title, planned: { ...stored.plan, bundle }, cancelling };
}

/** One that is missing is told as such: no run is called so. */
function isMeantAsFile(path: string): boolean {
  const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  return isFile || /\.[cm]?[jt]sx?$/.test(path);
}

/** What workers say that they run was counted as ready. */
async function countsNow(session: Session, progress: RunProgress): Promise<Record<string, Counts>> {
  const workers = (await readWorkers(session.project)).filter((each) => !each.silent);
  const counts = Object.entries(countsByFunction(progress)).map(([name, own]) => {
    const reported = workers.reduce((sum, each) => sum + (valueFor(each.running, name) ?? 0), 0);
    const running = Math.min(reported, own.ready);
    return [name, { ...own, running, ready: own.ready - running }] as const;
  });
  return Object.fromEntries(counts);
}

async function render(drawing: Drawing, request: GraphRequest, title: string): Promise<string> {
  switch (request.format) {
    case 'dot':
      return toDot(drawing);
    case 'mermaid':
      return toMermaid(drawing);
    case 'svg':
      return toSvg(drawing, request);
    case 'html':
      return page(title, await toSvg(drawing, request));
  }
}

function toSvg(drawing: Drawing, { limit, context }: GraphRequest): Promise<string> {
  const { interrupted, stderr } = context;
  return layOut(toDot(drawing), {
    interrupted,
    timeoutMs: limit === undefined ? layoutTimeoutMs : undefined,
    say: (line) => stderr.write(`${line}\n`),
  });
}

/** A tangle of a thousand tasks may take that long; a hundred times as many in order do not. */
const layoutTimeoutMs = 60_000;

function page(title: string, svg: string): string {
  const legend = Object.entries(stateColours)
    .map(([state, colour]) => `<span style="background:${colour}">${state}</span>`)
    .join(' ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${escapeHtml(title)}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 1rem; }
p span { padding: .1rem .5rem; border-radius: .3rem; color: #000; }
svg { max-width: 100%; height: auto; }
</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>${legend}</p>
${svg.slice(svg.indexOf('<svg'))}
</body>
</html>
`;
}

async function write(output: string, context: CommandContext, text: string): Promise<void> {
  try {
    await writeFile(resolve(context.cwd, output), text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new JugqError('USAGE', `cannot write ${output}: ${why}: name another file`, { cause });
  }
  context.stderr.write(`wrote ${output} (${countOf(text.length, 'byte')})\n`);
}
