/**
 * Code that asks where it is: in a bundle the answer is the place of the bundle.
 *
 * Whoever looks there for files beside their own finds none, so uses of it are told.
 */
import { resolve } from 'node:path';
import { TraceMap } from '@jridgewell/trace-mapping';
import { jugfileSourcePath } from '../core/stack.ts';
import { showPath, type MessagePaths } from './bundle-errors.ts';
import { positionFinder } from './source-position.ts';

/**
 * What a module may ask about its own place, and the names that stand for it in a bundle.
 *
 * Each has a name of its own so that its uses can be found again, and so that a user's own `const __dirname` is not
 * declared twice.
 */
export const placeNames: Readonly<Record<string, string>> = {
  'import.meta.url': '__jugqModuleUrl',
  'import.meta.filename': '__jugqModuleFilename',
  'import.meta.dirname': '__jugqModuleDirname',
  __filename: '__jugqFilename',
  __dirname: '__jugqDirname',
};

const standInPattern = /\b__jugq(?:Module)?(?:Url|Filename|Dirname)\b/g;

/** CommonJS dependencies call `require`; esbuild renames a user's own `require`, so that this one clashes with nothing. */
export const placeBanner = [
  `import { createRequire as __jugqCreateRequire } from 'node:module';`,
  `import { fileURLToPath as __jugqToPath } from 'node:url';`,
  `const require = __jugqCreateRequire(import.meta.url);`,
  `const __jugqModuleUrl = import.meta.url;`,
  `const __jugqFilename = __jugqToPath(import.meta.url), __jugqModuleFilename = __jugqFilename;`,
  `const __jugqDirname = __jugqToPath(new URL('.', import.meta.url)), __jugqModuleDirname = __jugqDirname;`,
].join(' ');

/**
 * Warnings about code that asks for its own place, one for each line of the user's own files that does.
 *
 * Packages are left alone: most that ask for their place can do without.
 *
 * @param code - the bundle
 * @param map - its source map as JSON
 */
export function placeWarnings(code: string, map: string, paths: MessagePaths): string[] {
  const written = new Map(Object.entries(placeNames).map(([name, standIn]) => [standIn, name]));
  const uses = [...code.slice(placeBanner.length).matchAll(standInPattern)];
  if (uses.length === 0) return [];
  const positionOf = positionFinder(code, new TraceMap(map));
  const warnings = uses.flatMap((use) => {
    const position = positionOf(placeBanner.length + use.index);
    const path = position && jugfileSourcePath(position.source);
    if (position === undefined || path === undefined || isPackagePath(path)) return [];
    const file = showPath(resolve(paths.directory, path), paths);
    return `${written.get(use[0]) ?? use[0]} names the place of the bundle, not of this file: ${file}:${String(position.line)}: use paths relative to the working directory, or pass them as arguments`;
  });
  return [...new Set(warnings)];
}

/** Whether a file is of an installed package. */
export function isPackagePath(path: string): boolean {
  return /(^|\/)node_modules\//.test(path);
}
