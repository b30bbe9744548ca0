/** What a worker says: lines for people, or a JSON object a line for a collector of logs. */
import { normaliseMessage } from '../core/failure-causes.ts';
import { functionNameOf } from '../core/identifiers.ts';
import type { TraceEvent } from '../worker/trace.ts';

export interface DaemonLog {
  readonly say: (message: string) => void;
  readonly see: (event: TraceEvent) => void;
}

/** Lines of text, and only what a person at a terminal wants to know: of many failures for one reason the first few. */
export function textLog(say: (line: string) => void): DaemonLog {
  const counted = new Map<string, number>();
  return {
    say,
    see(event) {
      const message = event.kind === 'task-failed' ? failed(event, counted) : describe(event);
      if (message !== undefined) say(message);
    },
  };
}

const toldOneByOne = 10;
/** What is told apart; more reasons than that are no reasons. */
const reasonsMax = 1000;

function failed(
  event: TraceEvent & { readonly kind: 'task-failed' },
  counted: Map<string, number>,
): string | undefined {
  const functionName = functionNameOf(event.task);
  const reason = `${functionName} ${String(event.final)} ${normaliseMessage(event.reason)}`;
  if (!counted.has(reason) && counted.size >= reasonsMax) counted.clear();
  const count = (counted.get(reason) ?? 0) + 1;
  counted.set(reason, count);
  if (count <= toldOneByOne) return describe(event);
  if (!Number.isInteger(Math.log10(count))) return undefined;
  return `${functionName} has failed ${count.toString()} times like this: ${event.reason} (jugq status --failed counts them)`;
}

/** A JSON object a line: `time`, `level`, `kind`, `message`, and the event's own fields. What each task does is for metrics. */
export function jsonLog(sayLine: (line: string) => void): DaemonLog {
  const write = (line: object): void => {
    sayLine(JSON.stringify({ time: new Date().toISOString(), ...line }));
  };
  return {
    say(message) {
      write({ level: 'info', kind: 'notice', message });
    },
    see(event) {
      if (frequent.has(event.kind)) return;
      const { kind, ...fields } = event;
      const level = grave.has(kind) ? 'warn' : 'info';
      write({ level, kind, message: describe(event) ?? kind.replaceAll('-', ' '), ...fields });
    },
  };
}

const frequent: ReadonlySet<TraceEvent['kind']> = new Set([
  'parcel-taken',
  'parcel-acked',
  'task-started',
  'result-computed',
  'result-stored',
]);

const grave: ReadonlySet<TraceEvent['kind']> = new Set([
  'trouble',
  'task-failed',
  'result-refused',
  'struck',
  'record-unreadable',
  'run-unreadable',
  'dispatcher-failed',
  'stray-error',
]);

/** What a person at the worker's terminal wants to know. */
function describe(event: TraceEvent): string | undefined {
  switch (event.kind) {
    case 'trouble':
      return `trouble: ${event.reason}`;
    case 'recovered':
      return 'all is well again';
    case 'task-failed':
      return `${event.task} failed${event.final ? '' : ', will be tried again'}: ${event.reason}`;
    case 'result-refused':
      return event.why === 'differs'
        ? `${event.task} gave another result than the one that is stored: the first one counts; is the function deterministic?`
        : undefined;
    case 'struck':
      return `${event.task} was with a worker before and was not finished there: run by itself${event.strikes === 0 ? '' : ` (its process died ${times(event.strikes)})`}`;
    case 'record-unreadable':
    case 'run-unreadable':
    case 'dispatcher-failed':
      return `dispatcher: ${event.reason}`;
    default:
      return undefined;
  }
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count.toString()} times`;
}
