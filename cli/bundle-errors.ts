/** What esbuild complains about, said as jugq says it. */
import { existsSync } from 'node:fs';
import { isAbsolute, relative, resolve } from 'node:path';
import type { Message } from 'esbuild';
import { JugqError } from '../core/errors.ts';
import { findPackage, packageNameOf } from './native-packages.ts';

const errorsMax = 5;
/** A line of a minified file would fill the screen. */
const sourceLineMax = 160;

/** Where paths in messages are shown from. */
export interface MessagePaths {
  /** What esbuild's own paths are relative to: the jugfile's directory. */
  readonly directory: string;
  /** The user's working directory: paths below it are shown relative to it. */
  readonly cwd: string;
}

/**
 * One error for a failed build, with up to five places.
 *
 * @returns JugqError `JUGFILE_IMPORT` if all that is wrong are imports that lead nowhere, else `JUGFILE_SYNTAX`
 */
export function buildError(
  errors: readonly Message[],
  jugfile: string,
  paths: MessagePaths,
): JugqError {
  const shown = errors.slice(0, errorsMax).map((error) => formatMessage(error, paths));
  if (errors.length > errorsMax) shown.push(`and ${String(errors.length - errorsMax)} more`);
  const places = errors.flatMap(({ location }) =>
    location === null
      ? []
      : [{ file: resolve(paths.directory, location.file), ...place(location) }],
  );
  const onlyImports = errors.every((error) => missingImport(error) !== undefined);
  const what = onlyImports ? 'an import leads nowhere' : 'a file cannot be read as code';
  return new JugqError(
    onlyImports ? 'JUGFILE_IMPORT' : 'JUGFILE_SYNTAX',
    `${what}: ${showPath(jugfile, paths)}: mend this:\n${shown.join('\n')}`,
    { fields: { jugfile, places } },
  );
}

/**
 * One message of esbuild: `file:line:column: text`, the source line, a caret below the column, and what to do.
 *
 * Lines and columns count from 1; columns are characters, not bytes.
 */
export function formatMessage(message: Message, paths: MessagePaths): string {
  const text = messageText(message, paths);
  const { location } = message;
  if (location === null) return text;
  const { line, column } = place(location);
  const file = showPath(resolve(paths.directory, location.file), paths);
  return `${file}:${String(line)}:${String(column)}: ${text}\n${sourceExcerpt(location.lineText, column - 1)}`;
}

/** A path as the user would type it: relative to where they are, unless that only climbs. */
export function showPath(path: string, { cwd }: Pick<MessagePaths, 'cwd'>): string {
  const short = relative(cwd, path);
  return short === '' || short.startsWith('..') || isAbsolute(short) ? path : short;
}

function messageText(message: Message, paths: MessagePaths): string {
  const specifier = missingImport(message);
  if (specifier !== undefined) return importText(specifier, message, paths);
  const native = /^No loader is configured for "\.node" files: (.*)$/.exec(message.text)?.[1];
  if (native !== undefined) return nativeText(native);
  const ending = /^No loader is configured for "(.*)" files: (.*)$/.exec(message.text);
  if (ending !== null) {
    return `cannot import a ${ending[1] ?? ''} file: import code, JSON or text, or read the file when the task runs`;
  }
  return message.text.replaceAll('"jugq:jugfile-api"', '"jugq"');
}

function missingImport({ text }: Message): string | undefined {
  return /^Could not resolve "(.*)"/.exec(text)?.[1];
}

function importText(specifier: string, message: Message, paths: MessagePaths): string {
  if (/^[./#]/.test(specifier) || isAbsolute(specifier)) {
    return `no such module ${JSON.stringify(specifier)}: check the path${spellingHint(specifier, message, paths)}`;
  }
  const name = packageNameOf(specifier);
  if (findPackage(name, paths.directory) !== undefined) {
    return `package ${name} is installed but has no ${JSON.stringify(specifier)}: check the import against the package's exports`;
  }
  const importer = packageOfFile(message.location?.file ?? '');
  return importer === undefined
    ? `package ${name} is not installed: npm install ${name}`
    : `package ${name} is not installed, and package ${importer} imports it: npm install ${name}, or list it as external if the import is never reached`;
}

function spellingHint(specifier: string, { location }: Message, paths: MessagePaths): string {
  if (location === null) return '';
  const wanted = resolve(paths.directory, location.file, '..', specifier);
  const stem = wanted.replace(/\.[cm]?[jt]sx?$/, '');
  const found = ['.ts', '.mts', '.tsx', '.js', '.mjs', '.cjs'].find((ending) =>
    existsSync(stem + ending),
  );
  return found === undefined ? '' : ` (there is ${showPath(stem + found, paths)})`;
}

function nativeText(path: string): string {
  const name = packageOfFile(path);
  return name === undefined
    ? `a native add-on (${path}) cannot travel with the code: make a package of it and install that where workers run`
    : `package ${name} loads a native add-on, which cannot travel with the code: list ${name} as external and install it where workers run`;
}

function packageOfFile(path: string): string | undefined {
  const inside = path.split('node_modules/').slice(1).at(-1);
  return inside === undefined ? undefined : packageNameOf(inside);
}

function place(location: NonNullable<Message['location']>): { line: number; column: number } {
  const before = Buffer.from(location.lineText).subarray(0, location.column).toString();
  return { line: location.line, column: before.length + 1 };
}

function sourceExcerpt(lineText: string, column: number): string {
  const from = column < sourceLineMax ? 0 : column - sourceLineMax / 2;
  const excerpt = lineText.slice(from, from + sourceLineMax);
  const margin = excerpt.slice(0, column - from).replace(/[^\t]/g, ' ');
  return `    ${excerpt}\n    ${margin}^`;
}
