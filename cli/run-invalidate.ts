/** `jugq invalidate`: says what would go, asks where that may surprise, and makes it go. */
import { createInterface } from 'node:readline/promises';
import { JugqError } from '../core/errors.ts';
import { parsePatterns } from '../core/patterns.ts';
import type { CommandContext } from './commands/base.ts';
import {
  findDoomed,
  functionsHit,
  invalidateDoomed,
  summaryOf,
  type Doomed,
} from './invalidate.ts';
import type { Invalidated, InvalidatedFunction } from './library-types.ts';
import { countOf } from './report.ts';
import type { Session } from './session.ts';
import { formatTable } from './table.ts';

export interface InvalidateRequest {
  readonly patterns: readonly string[];
  /** Only results that other code made than is planned now. */
  readonly stale: boolean;
  /** Compounds take their inner tasks along. */
  readonly inner: boolean;
  readonly dryRun: boolean;
  /** Do not ask. */
  readonly yes: boolean;
  readonly json: boolean;
  readonly context: CommandContext;
}

/** Invalidates what patterns hit and all that depends on it. */
export async function runInvalidate(session: Session, request: InvalidateRequest): Promise<number> {
  const { context, json, dryRun, stale, inner } = request;
  const patterns = parsePatterns(request.patterns);
  if (patterns.length === 0 && !stale) {
    throw new JugqError('USAGE', 'what is to be invalidated? Give patterns of tasks, or --stale');
  }
  const doomed = await findDoomed(session.project, { patterns, stale, inner });
  for (const [{ text }, names] of functionsHit(doomed)) {
    context.stderr.write(`${text} hits ${names.join(', ')}\n`);
  }
  if (!dryRun && !(await isMeant(doomed, request))) {
    context.stderr.write('nothing was invalidated\n');
    return 1;
  }
  const gone = dryRun
    ? summaryOf(doomed)
    : await invalidateDoomed(session.project, doomed, (count) => {
        if (count >= tellFrom) context.stderr.write(`${count.toString()} tasks marked\n`);
      });
  const text = json
    ? JSON.stringify({ kind: 'invalidated', dryRun, ...gone })
    : format(gone, request);
  context.stdout.write(`${text}\n`);
  return 0;
}

/** Fewer are a matter of a moment. */
const tellFrom = 10_000;

/** A bare word that hits several functions may hit more than its author thinks of. */
async function isMeant(doomed: Doomed, { yes, context }: InvalidateRequest): Promise<boolean> {
  const wide = [...functionsHit(doomed)].filter(([{ bare }, names]) => bare && names.length > 1);
  const isTerminal =
    context.stderr.isTTY === true && 'isTTY' in context.stdin && context.stdin.isTTY === true;
  if (yes || wide.length === 0 || !isTerminal) return true;
  const { tasks, results } = summaryOf(doomed);
  const asking = createInterface({ input: context.stdin, output: context.stderr });
  const interrupted = new AbortController();
  // A terminal that is being asked tells of Ctrl-C in its own way, and no signal comes.
  asking.once('SIGINT', () => {
    interrupted.abort();
  });
  const ends = AbortSignal.any([context.interrupted, interrupted.signal]);
  try {
    const question = `${countOf(tasks, 'task')} with ${countOf(results, 'result')} would go; do you mean all of these functions? [y/N] `;
    const answer = await asking.question(question, { signal: ends });
    return /^y(es)?$/i.test(answer.trim());
  } catch (cause) {
    if (!ends.aborted) throw cause;
    throw new JugqError('INTERRUPTED', 'nothing was invalidated', { cause });
  } finally {
    asking.close();
  }
}

/** Who has changed a function and not planned since may wonder. */
const nothingStale =
  'no such result is stale: all were made by the code of the newest plan that declares them; code that was changed since then is not known before it is planned';

function format(
  { tasks, results, functions }: Invalidated,
  { stale, dryRun }: InvalidateRequest,
): string {
  if (stale && tasks === 0) return nothingStale;
  const chosen = stale ? 'changed' : 'named';
  const rows = Object.entries(functions).map(([name, each]) => [
    name,
    each.tasks,
    each.results,
    reasonsFor(each, chosen),
  ]);
  const what = `${countOf(results, 'result')} of ${countOf(tasks, 'task')}`;
  const said = dryRun ? `${what} would be invalidated` : `${what} invalidated`;
  return `${formatTable(['function', 'tasks', 'results', 'why'], rows)}\n${said}`;
}

function reasonsFor({ tasks, matched, inner = 0 }: InvalidatedFunction, chosen: string): string {
  const reasons = [
    ...(matched > 0 ? [chosen] : []),
    ...(inner > 0 ? ['inside of it'] : []),
    ...(matched + inner < tasks ? ['depends on it'] : []),
  ];
  return reasons.join(', or ');
}
