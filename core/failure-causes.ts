/** Failures by cause: hundreds of tasks fail for a handful of reasons. */
import type { FailureRecord } from './records.ts';

/** Failures of one class of error, one message but for its particulars, and one line of the user's code. */
export interface FailureCause {
  /** Enough of the beginning of a digest to name it. */
  readonly id: string;
  readonly name: string;
  /** Of its first failure, whole. */
  readonly message: string;
  /** Innermost line of the user's own code; empty if there is none. */
  readonly frame: string;
  /** In the order in which they were given. */
  readonly failures: readonly FailureRecord[];
}

/** Groups failures by cause, the commonest first. */
export function groupByCause(failures: readonly FailureRecord[]): FailureCause[] {
  const groups = new Map<string, FailureRecord[]>();
  for (const failure of failures) {
    const key = causeOf(failure);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [failure]);
    else group.push(failure);
  }
  return [...groups]
    .map(([key, all]) => {
      const { name = '', message = '' } = all[0]?.error ?? {};
      return { id: shortDigest(key), name, message, frame: frameOf(all[0]), failures: all };
    })
    .sort((a, b) => b.failures.length - a.failures.length);
}

/** A message without what differs from task to task: numbers, ids, quoted texts and paths. */
export function normaliseMessage(message: string): string {
  return message
    .replaceAll(/"[^"]*"|'[^']*'|`[^`]*`/g, '"…"')
    .replaceAll(/(?:[A-Za-z]:)?(?:[\w.@~-]*[\\/])+[\w.@~-]*/g, '…')
    .replaceAll(/\b0x[0-9a-f]+\b|\b(?=\w*\d)[0-9a-f]{8,}(?:-[0-9a-f]{4,})*\b/gi, '…')
    .replaceAll(/[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?/gi, 'N')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** `at kmeans (lib/kmeans.ts:12:9)`: the first line of the stack that is a place. */
function frameOf(failure: FailureRecord | undefined): string {
  const lines = failure?.error.stack.split('\n') ?? [];
  return lines.find((line) => /^\s+at /.test(line))?.trim() ?? '';
}

function causeOf(failure: FailureRecord): string {
  const { name, message } = failure.error;
  return [name, normaliseMessage(message), frameOf(failure)].join('\n');
}

/** FNV-1a, 32 bits: it names a handful of causes, and protects nothing. */
function shortDigest(text: string): string {
  let digest = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    digest = Math.imul(digest ^ text.charCodeAt(i), 0x01000193);
  }
  return (digest >>> 0).toString(36).padStart(7, '0').slice(-6);
}
