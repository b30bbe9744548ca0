/**
 * Patterns: how users name tasks on the command line.
 *
 * | pattern | tasks |
 * | --- | --- |
 * | `kmeans` | of functions whose name, or a segment of it after a `/`, begins so |
 * | `=kmeans` | of the function of just this name |
 * | `/sum_[23]$/` | of functions whose name the regular expression finds; flags may follow |
 * | `kmeans.q3f` | whose id begins so |
 */
import { JugqError } from './errors.ts';
import { hashText, type Graph } from './graph.ts';
import { isFunctionName } from './identifiers.ts';

/** A pattern, read. */
export interface Pattern {
  readonly text: string;
  /** A bare word, which may hit more functions than its author thinks of. */
  readonly bare: boolean;
  /** Whether tasks of the function may match. */
  matchesFunction(name: string): boolean;
  /** The beginning of the task's hash; empty: any of the function's tasks. */
  readonly hash: string;
}

/**
 * Reads a pattern.
 *
 * @throws JugqError `USAGE`
 */
export function parsePattern(text: string): Pattern {
  const expression = /^\/(.+)\/([dgimsuvy]*)$/s.exec(text);
  if (expression !== null) return byExpression(text, expression[1] ?? '', expression[2] ?? '');
  if (text.startsWith('=')) return byName(text, named(text, text.slice(1)));
  const dot = text.lastIndexOf('.');
  if (dot === -1) return byWord(text, named(text, text));
  const hash = text.slice(dot + 1);
  if (!/^[a-z2-7]{0,32}$/.test(hash)) throw unreadable(text, `${hash} begins no task's hash`);
  return { ...byName(text, named(text, text.slice(0, dot))), hash };
}

/** Reads patterns. */
export function parsePatterns(texts: readonly string[]): Pattern[] {
  return texts.map(parsePattern);
}

/** Whether a task matches one of the patterns. */
export function matchesTask(
  patterns: readonly Pattern[],
  task: { readonly functionName: string; readonly hash: string },
): boolean {
  return patterns.some(
    (each) => each.matchesFunction(task.functionName) && task.hash.startsWith(each.hash),
  );
}

/** The tasks of a graph that match one of the patterns, in their order. */
export function matchingTasks(graph: Graph, patterns: readonly Pattern[]): number[] {
  const candidates = graph.functions.map(({ name }) =>
    patterns.filter((each) => each.matchesFunction(name)),
  );
  const found: number[] = [];
  for (let task = 0; task < graph.count; task++) {
    const by = candidates[graph.functionOf[task] ?? 0] ?? [];
    if (by.length === 0) continue;
    const whole = by.some((each) => each.hash === '');
    if (whole || by.some((each) => hashText(graph, task).startsWith(each.hash))) found.push(task);
  }
  return found;
}

function byWord(text: string, word: string): Pattern {
  const matches = (name: string): boolean => name.startsWith(word) || name.includes(`/${word}`);
  return { text, bare: true, hash: '', matchesFunction: matches };
}

function byName(text: string, name: string): Pattern {
  return { text, bare: false, hash: '', matchesFunction: (each) => each === name };
}

function byExpression(text: string, source: string, flags: string): Pattern {
  try {
    // Without the flags that make one search begin where the last one ended.
    const expression = new RegExp(source, flags.replaceAll(/[gy]/g, ''));
    return { text, bare: false, hash: '', matchesFunction: (name) => expression.test(name) };
  } catch (cause) {
    throw unreadable(text, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function named(text: string, name: string): string {
  if (isFunctionName(name)) return name;
  throw unreadable(text, 'a function name has letters, digits, "_", "-" and "/"');
}

function unreadable(text: string, why: string, cause?: unknown): JugqError {
  return new JugqError(
    'USAGE',
    `cannot read the pattern ${JSON.stringify(text)}: ${why}: give the beginning of a function's name, =name, /regex/, or the beginning of a task id`,
    cause === undefined ? {} : { cause },
  );
}
