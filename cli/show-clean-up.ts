/** `jugq cleanup`: says what goes. */
import { formatBytes } from './amounts.ts';
import { cleanUp, type CleanUpWish } from './clean-up.ts';
import type { CommandContext } from './commands/base.ts';
import type { CleanUp } from './library-types.ts';
import type { LoadedJugfile } from './load-jugfile.ts';
import { lookAtJugfile } from './look-at-jugfile.ts';
import { countOf } from './report.ts';
import { findRun } from './runs.ts';
import type { Session } from './session.ts';
import { formatTable } from './table.ts';

export interface CleanUpRequest {
  /** Jugfiles to be evaluated: what they declare now counts instead of their newest runs. */
  readonly jugfiles: readonly string[];
  /** Of each of them; none: those of its newest run. */
  readonly args: readonly string[];
  /** Runs to be kept, by the beginnings of their ids. */
  readonly keep: readonly string[];
  readonly target: CleanUpWish['target'];
  readonly dryRun: boolean;
  readonly json: boolean;
  readonly context: CommandContext;
}

/** Cleans up, or says what would go; exit status 1 where everything had to be spared. */
export async function showCleanUp(session: Session, request: CleanUpRequest): Promise<number> {
  const { context, dryRun, jugfiles, args, json, target } = request;
  const { project } = session;
  const keep = await Promise.all(request.keep.map((each) => findRun(project, each)));
  const loaded: LoadedJugfile[] = [];
  for (const jugfile of jugfiles) {
    loaded.push(await lookAtJugfile(session, { jugfile, args }, context));
  }
  const wish = { keep, jugfiles: loaded, dryRun, ...(target === undefined ? {} : { target }) };
  const report = await cleanUp(project, wish);
  context.stdout.write(`${json ? JSON.stringify(report) : formatCleanUp(report, dryRun)}\n`);
  return report.spared === undefined ? 0 : 1;
}

function formatCleanUp(report: CleanUp, dryRun: boolean): string {
  if (report.spared !== undefined) return `nothing removed: ${report.spared}: clean up later`;
  const { results, failures, plans, bundles, blobs, runs, bytes } = report;
  const rows = Object.entries(report.functions).map(([name, use]) => [
    name,
    use.objects,
    formatBytes(use.bytes),
  ]);
  const parts = [
    countOf(results, 'result'),
    ...(failures > 0 ? [countOf(failures, 'failure record')] : []),
    ...(plans > 0 ? [countOf(plans, 'plan')] : []),
    ...(bundles > 0 ? [countOf(bundles, 'bundle')] : []),
    ...(blobs > 0 ? [countOf(blobs, 'blob')] : []),
    ...(runs > 0 ? [countOf(runs, 'run record')] : []),
  ];
  const verb = dryRun ? 'would remove' : 'removed';
  const freed = `${formatBytes(bytes)}${dryRun ? '' : ' freed'}`;
  return [
    ...(rows.length > 0 ? [formatTable(['function', 'results', 'bytes'], rows)] : []),
    `${verb} ${parts.join(', ')}: ${freed}`,
  ].join('\n');
}
