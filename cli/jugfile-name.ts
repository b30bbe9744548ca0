/** Under which name a jugfile is recorded: one file has one, however and wherever it was typed. */
import { dirname, relative, resolve, sep } from 'node:path';
import { privateDirectory } from '../broker/private-server.ts';

/**
 * The path of a jugfile from the directory of the nearest package.json, where there is none from `cwd`; with `/`.
 *
 * It does not depend on where the project lies, so that machines which share one agree. Links are not followed: what is
 * beside the package.json keeps the name that it is typed with there.
 *
 * @param path - relative to `cwd`
 */
export function jugfileName(cwd: string, path: string): string {
  return relative(rootOf(cwd), resolve(cwd, path)).split(sep).join('/');
}

/** The path by which a recorded jugfile is typed in `cwd`. */
export function jugfilePath(cwd: string, name: string): string {
  return relative(cwd, resolve(rootOf(cwd), name));
}

function rootOf(cwd: string): string {
  return dirname(privateDirectory(cwd));
}
