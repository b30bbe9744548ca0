/** What can be done with where output goes. */
import type { OutputStream } from './commands/base.ts';

/**
 * Whether what was printed there can be painted again: on a terminal that moves its cursor and is not kept as a log, as
 * a build's is (`CI`).
 */
export function canRepaint(stream: OutputStream, env: Record<string, string | undefined>): boolean {
  return stream.isTTY === true && env['TERM'] !== 'dumb' && !isSet(env['CI']);
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && !['', '0', 'false'].includes(value.toLowerCase());
}
