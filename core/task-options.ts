/** What a task function can be told, and how that is read. */
import { inspect } from 'node:util';
import { isDuration, parseDuration } from './duration.ts';
import { JugqError } from './errors.ts';

/** What a user may give. */
export interface TaskOptions {
  /** How many times a failed attempt is tried again; default 0. */
  readonly retries?: number;
  /** Longest an attempt may take: milliseconds, or text such as `10m`; default: no limit. */
  readonly timeout?: number | string;
  /** The queue that workers take the tasks from; default `default`. */
  readonly queue?: string;
  /**
   * False: a result that other tasks take is dropped when all of them are finished, and computed again if it is ever
   * needed. One that no task takes, or that planning has waited for, stays; so does all in a run with targets.
   */
  readonly keep?: boolean;
  /** Part of the identity of the tasks: another version is another task. */
  readonly version?: number | string;
}

/** All options, complete. */
export interface ReadOptions {
  readonly retries: number;
  readonly timeoutMs: number | undefined;
  readonly queue: string;
  readonly keep: boolean;
  readonly version: number | string | undefined;
}

/**
 * Reads the options of a task function.
 *
 * @throws JugqError `USAGE`, naming the function, the option and what was expected
 */
export function readOptions(name: string, options: TaskOptions): ReadOptions {
  if (typeof options !== 'object') {
    const got = inspect(options, { depth: 0 });
    throw new JugqError('USAGE', `task ${name}: expected options as an object, got ${got}`);
  }
  for (const option of Object.keys(options)) {
    if (known.has(option)) continue;
    const all = [...known].join(', ');
    throw new JugqError('USAGE', `task ${name}: there is no option ${option}: there are ${all}`);
  }
  return {
    retries: wholeNumber(name, 'retries', options.retries ?? 0),
    timeoutMs: timeoutMs(name, options.timeout),
    queue: queueName(name, options.queue ?? 'default'),
    keep: yesOrNo(name, 'keep', options.keep ?? true),
    version: versionOf(name, options.version),
  };
}

const known: ReadonlySet<string> = new Set(['retries', 'timeout', 'queue', 'keep', 'version']);

function versionOf(name: string, version: unknown): number | string | undefined {
  if (version === undefined || typeof version === 'string') return version;
  if (typeof version === 'number' && Number.isFinite(version)) return version;
  throw badOption(name, 'version', 'a number or a text', version);
}

function wholeNumber(name: string, option: string, value: number): number {
  if (Number.isInteger(value) && value >= 0) return value;
  throw badOption(name, option, 'a whole number from 0', value);
}

function yesOrNo(name: string, option: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw badOption(name, option, 'true or false', value);
}

function timeoutMs(name: string, timeout: number | string | undefined): number | undefined {
  if (timeout === undefined) return undefined;
  if (typeof timeout === 'string' && isDuration(timeout)) return parseDuration(timeout);
  if (typeof timeout === 'number' && Number.isFinite(timeout) && timeout > 0)
    return Math.ceil(timeout);
  throw badOption(name, 'timeout', 'milliseconds above 0 or text such as "10m"', timeout);
}

function queueName(name: string, queue: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(queue)) return queue;
  throw badOption(name, 'queue', '1 to 64 letters, digits, "_" or "-"', queue);
}

function badOption(name: string, option: string, expected: string, got: unknown): JugqError {
  return new JugqError(
    'USAGE',
    `task ${name}: option ${option}: expected ${expected}, got ${inspect(got, { depth: 0 })}`,
  );
}
