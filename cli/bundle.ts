/**
 * A jugfile and all that it imports, as one module that any worker can run.
 *
 * A bundle is the same on every machine and in every directory: paths inside it are relative to the jugfile's directory,
 * so its digest names its content alone.
 */
import { createHash } from 'node:crypto';
import { existsSync, realpathSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, extname, join, resolve } from 'node:path';
import type { BuildFailure, BuildOptions, BuildResult, Metafile } from 'esbuild';
import { JugqError } from '../core/errors.ts';
import { jugfileSource } from '../core/stack.ts';
import { buildError, formatMessage, showPath, type MessagePaths } from './bundle-errors.ts';
import { placeBanner, placeNames, placeWarnings } from './bundle-place.ts';
import { withEsbuild } from './esbuild-service.ts';
import { withFunctionTable } from './function-table.ts';
import { importedNames, jugfileStubPlugin } from './jugfile-stub.ts';
import {
  findPackage,
  nativePackagesPlugin,
  packageNameOf,
  type NativeImport,
} from './native-packages.ts';
import { refuseOtherEncodings } from './source-text.ts';

/** A jugfile as one ES module. */
export interface Bundle {
  /** SHA-256 of `code`, hex. */
  readonly digest: string;
  /**
   * The module, with its source map inline but without the sources' text.
   *
   * Inline, since it is stored by its digest: edits that only move lines give the same code with another map, and must
   * not share a name. Without the text, since Node needs none of it to map a stack, and it would double the size.
   */
  readonly code: string;
  /** The source map as JSON, with the sources' text; stays where the bundle was made. */
  readonly map: string;
  /** Name of the jugfile in `directory`. */
  readonly entry: string;
  /** Absolute directory of the jugfile, symbolic links resolved; not part of `code`. */
  readonly directory: string;
  /** Packages that are not inside, sorted: whoever runs the bundle needs them installed. */
  readonly externals: readonly string[];
  /** What the user should know, each a whole message. */
  readonly warnings: readonly string[];
}

/** How a jugfile is bundled. */
export interface BundleOptions {
  /** What relative paths are relative to, in `path` and in messages; the process's by default. */
  readonly cwd?: string;
  /** Packages to leave out beside the native ones, as esbuild takes them (`*` stands for any text). */
  readonly external?: readonly string[];
}

const endings = ['.ts', '.mts', '.cts', '.tsx', '.js', '.mjs', '.cjs', '.jsx'];
const textEndings = [
  '.css',
  '.csv',
  '.html',
  '.md',
  '.py',
  '.sh',
  '.sql',
  '.svg',
  '.tsv',
  '.yaml',
  '.yml',
];

/**
 * Bundles a jugfile: TypeScript or JavaScript, with its packages; Node's modules and native packages stay outside.
 *
 * @param path - the jugfile; relative to `options.cwd`
 * @throws JugqError `JUGFILE_NOT_FOUND` (missing, unreadable, a directory), `USAGE` (not code), `JUGFILE_SYNTAX`,
 *   `JUGFILE_IMPORT` (an import that leads nowhere)
 */
export async function bundleJugfile(path: string, options: BundleOptions = {}): Promise<Bundle> {
  const cwd = options.cwd ?? process.cwd();
  const jugfile = findJugfile(resolve(cwd, path), cwd);
  const paths: MessagePaths = { directory: dirname(jugfile), cwd };
  const natives: NativeImport[] = [];
  const result = await build(jugfile, paths, buildOptions(jugfile, natives, options));
  refuseOtherEncodings(Object.keys(result.metafile.inputs), paths);
  const map = mapOf(result);
  const bare = outputText(result, '.mjs');
  const mapJson = JSON.stringify(map);
  const table = { uses: importedNames(bare), map: mapJson };
  const code = withInlineMap(withFunctionTable(bare, table), map);
  return {
    digest: createHash('sha256').update(code).digest('hex'),
    code,
    map: mapJson,
    entry: jugfile.slice(paths.directory.length).replace(/^[\\/]/, ''),
    directory: paths.directory,
    externals: externalPackages(result.metafile, paths.directory, options.external ?? []),
    warnings: [
      ...result.warnings.map((warning) => formatMessage(warning, paths)),
      ...placeWarnings(code, mapJson, paths),
      ...unreachableWarnings(natives, paths),
    ],
  };
}

type FileBuildResult = BuildResult<{ write: false; metafile: true }>;

function findJugfile(path: string, cwd: string): string {
  const shown = showPath(path, { cwd });
  const jugfile = realPath(path, shown);
  if (statSync(jugfile).isDirectory()) {
    throw new JugqError(
      'JUGFILE_NOT_FOUND',
      `expected a jugfile, got a directory: ${shown}: name the file in it, such as ${join(shown, 'jugfile.ts')}`,
    );
  }
  if (!endings.includes(extname(jugfile))) {
    throw new JugqError(
      'USAGE',
      `expected a jugfile ending in ${endings.join(', ')}, got ${shown}: rename it if it is TypeScript or JavaScript`,
    );
  }
  return jugfile;
}

/** Resolved, as esbuild does: else every path in the bundle would climb out of the link's directory. */
function realPath(path: string, shown: string): string {
  try {
    return realpathSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      throw new JugqError(
        'JUGFILE_NOT_FOUND',
        `the jugfile cannot be read: ${shown} (${code ?? String(cause)}): check the path and its permissions`,
        { cause },
      );
    }
    const stem = path.replace(/\.[cm]?[jt]sx?$/, '');
    const near = endings.find((ending) => existsSync(stem + ending));
    const hint =
      near === undefined
        ? 'check the path'
        : `did you mean ${shown.replace(/\.[cm]?[jt]sx?$/, '')}${near}?`;
    throw new JugqError('JUGFILE_NOT_FOUND', `no such jugfile: ${shown}: ${hint}`, { cause });
  }
}

async function build(
  jugfile: string,
  paths: MessagePaths,
  options: BuildOptions,
): Promise<FileBuildResult> {
  try {
    return await withEsbuild((esbuild) =>
      esbuild.build({ ...options, write: false, metafile: true }),
    );
  } catch (cause) {
    const { errors } = cause as Partial<BuildFailure>;
    if (errors === undefined) throw cause;
    throw buildError(errors, jugfile, paths);
  }
}

function buildOptions(
  jugfile: string,
  natives: NativeImport[],
  options: BundleOptions,
): BuildOptions {
  return {
    entryPoints: [jugfile],
    absWorkingDir: dirname(jugfile),
    outfile: join(dirname(jugfile), 'bundle.mjs'),
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true,
    charset: 'utf8',
    legalComments: 'none',
    sourcemap: 'external',
    logLevel: 'silent',
    define: placeNames,
    banner: { js: placeBanner },
    external: [...(options.external ?? [])],
    loader: {
      ...Object.fromEntries(textEndings.map((ending) => [ending, 'text'])),
      '.wasm': 'binary',
    },
    plugins: [jugfileStubPlugin, nativePackagesPlugin((found) => natives.push(found))],
  };
}

/** The part of a source map that matters here; esbuild writes version 3. */
interface SourceMap {
  readonly version: 3;
  readonly sources: readonly string[];
  readonly sourcesContent?: readonly (string | null)[];
  readonly mappings: string;
  readonly names: readonly string[];
}

function mapOf(result: FileBuildResult): SourceMap {
  const map = JSON.parse(outputText(result, '.map')) as SourceMap;
  return { ...map, sources: map.sources.map(sourceName) };
}

function sourceName(source: string): string {
  const isUrl = /^[a-z][a-z0-9+.-]+:/i.test(source);
  return isUrl ? source : jugfileSource(source);
}

function withInlineMap(code: string, { version, sources, mappings, names }: SourceMap): string {
  const json = JSON.stringify({ version, sources, mappings, names });
  return `${code}//# sourceMappingURL=data:application/json;base64,${Buffer.from(json).toString('base64')}\n`;
}

function outputText(result: FileBuildResult, ending: string): string {
  const output = result.outputFiles.find(({ path }) => path.endsWith(ending));
  if (output === undefined)
    throw new JugqError('BUG', `esbuild gave no ${ending} file: please report this`);
  return output.text;
}

/** Without optional packages that are not installed here either: esbuild leaves those of a `try` outside, too. */
function externalPackages(
  { outputs }: Metafile,
  directory: string,
  listed: readonly string[],
): string[] {
  const names = Object.values(outputs)
    .flatMap(({ imports }) => imports)
    .filter(({ external, path }) => external === true && !isBuiltin(path))
    .map(({ path }) => packageNameOf(path))
    .filter((name) => listed.includes(name) || findPackage(name, directory) !== undefined);
  return [...new Set(names)].sort();
}

function unreachableWarnings(
  natives: readonly NativeImport[],
  { directory }: MessagePaths,
): string[] {
  const hidden = natives.filter(
    ({ packageName, importerDirectory }) =>
      findPackage(packageName, importerDirectory) !== findPackage(packageName, directory),
  );
  return [...new Set(hidden.map(({ packageName }) => packageName))].map(
    (name) =>
      `native package ${name} is installed only for another package, and a bundle cannot find it there: npm install ${name} beside the jugfile and on workers`,
  );
}
