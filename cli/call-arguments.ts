/** What programs hand to the library: plain JavaScript has no types to tell of a slip, so it is told here, by its name. */
import { inspect } from 'node:util';
import { JugqError } from '../core/errors.ts';
import { nearName } from './near-name.ts';

/**
 * Checks a text.
 *
 * @param what - such as `jug.load: the jugfile`
 * @throws JugqError `USAGE`
 */
export function requireText(value: unknown, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  throw wrong(what, 'a text', value);
}

/** Checks one text or several. Throws as `requireText` does. */
export function requireTexts(value: unknown, what: string): readonly string[] {
  const all: readonly unknown[] = Array.isArray(value) ? value : [value];
  return all.map((each) => requireText(each, what));
}

/** The id of a run that is named by it or by what `plan` gave. Throws as `requireText` does. */
export function requireRun(value: unknown, what: string): string {
  const isRun = typeof value === 'object' && value !== null && 'id' in value;
  return requireText(isRun ? value.id : value, `${what}: the run`);
}

/** Checks that options are an object. Throws as `requireText` does. */
export function requireObject(value: unknown, what: string): asserts value is object {
  if (typeof value !== 'object' || value === null) throw wrong(what, 'an object of options', value);
}

/** Checks that options are an object with no names but these. Throws as `requireText` does. */
export function requireOptions(value: unknown, names: readonly string[], what: string): void {
  requireObject(value, what);
  const strange = Object.keys(value).find((each) => !names.includes(each));
  if (strange === undefined) return;
  const near = nearName(strange, names);
  const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean ${near}?`;
  throw new JugqError('USAGE', `${what}: there is no option ${strange}: ${hint}`);
}

function wrong(what: string, wanted: string, value: unknown): JugqError {
  const got = value === undefined ? 'nothing' : inspect(value, { depth: 0 });
  return new JugqError('USAGE', `${what}: expected ${wanted}, got ${got}`);
}
