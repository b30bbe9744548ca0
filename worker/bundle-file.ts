/** Puts a bundle where a thread can import it, and where its external packages are found. */
import { mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { JugqError } from '../core/errors.ts';

/**
 * Writes a bundle under `node_modules/.cache/jugq` of a directory: a module there finds the packages of that directory.
 * Where that cannot be written it goes to the system's directory for temporary files, and packages that are not in the
 * bundle are not found.
 *
 * @param digest - names the file; a bundle of the same digest is not written again
 * @returns the path of the file
 * @throws JugqError `USAGE` if neither place can be written
 */
export function placeBundle(digest: string, code: string | Uint8Array, directory: string): string {
  const places = [
    [directory, 'node_modules', '.cache', 'jugq'],
    [tmpdir(), `jugq-${userInfo().uid.toString()}`],
  ];
  let problem: unknown;
  for (const place of places) {
    try {
      return writeOnce(makeDirectories(place), `${digest}.mjs`, code);
    } catch (error) {
      problem = error;
    }
  }
  const tried = places.map((place) => join(...place)).join(' and ');
  throw new JugqError(
    'USAGE',
    `the bundled jugfile cannot be written: tried ${tried}: make one of them writable`,
    { cause: problem },
  );
}

/** One by one: told to make all of them, Node 20 tries for ever where none can be made, as in /proc. */
function makeDirectories([base = '', ...levels]: readonly string[]): string {
  let place = base;
  for (const level of levels) {
    place = join(place, level);
    if (statSync(place, { throwIfNoEntry: false }) !== undefined) continue;
    try {
      mkdirSync(place, { mode: 0o700 });
    } catch (error) {
      // Another process was quicker.
      if (statSync(place, { throwIfNoEntry: false }) === undefined) throw error;
    }
  }
  return place;
}

/** Complete under its name or not there at all, however many processes write it at once. */
function writeOnce(place: string, name: string, code: string | Uint8Array): string {
  const path = join(place, name);
  const size = typeof code === 'string' ? Buffer.byteLength(code) : code.length;
  if (statSync(path, { throwIfNoEntry: false })?.size === size) return path;
  const partial = `${path}.${process.pid.toString()}.${Math.random().toString(36).slice(2)}`;
  writeFileSync(partial, code);
  renameSync(partial, path);
  return path;
}
