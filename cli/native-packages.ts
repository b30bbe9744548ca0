/**
 * Which packages must stay outside a bundle because they load compiled code.
 *
 * A native add-on fits one platform, so it is resolved where the worker runs. The signs are looked for in the package's
 * own files; names of per-platform packages are judged by their text and not by what happens to be installed, so that
 * the same jugfile gives the same bundle on every platform.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, isAbsolute, join } from 'node:path';
import type { Plugin } from 'esbuild';

const loaderPackages = new Set([
  'bindings',
  'cmake-js',
  'nan',
  'node-addon-api',
  'node-gyp-build',
  'node-gyp-build-optional-packages',
  'node-pre-gyp',
  '@mapbox/node-pre-gyp',
  'pkg-prebuilds',
  'prebuild-install',
]);

/** Where packages put what they have compiled. */
const binaryFolders = ['', 'build', 'build/Release', 'bin', 'lib', 'dist', 'native'];

const platformPackagePattern =
  /(^|[-/.])(linux|linuxmusl|darwin|win32|windows|freebsd|android)-(x64|arm64|ia32|arm|universal)\b/;

/** A native package that the bundle will import by name. */
export interface NativeImport {
  readonly packageName: string;
  /** Directory of the file that imports it. */
  readonly importerDirectory: string;
}

/**
 * esbuild plugin that leaves imports of native packages in the bundle as they are.
 *
 * @param onNative - called for each import that is left
 */
export function nativePackagesPlugin(onNative: (found: NativeImport) => void): Plugin {
  const natives = new Map<string, boolean>();
  return {
    name: 'native-packages',
    setup(build) {
      build.onResolve({ filter: /^[^./#]/ }, ({ kind, path, resolveDir }) => {
        if (kind === 'entry-point' || isAbsolute(path) || isBuiltin(path)) return undefined;
        const packageName = packageNameOf(path);
        const directory = findPackage(packageName, resolveDir);
        if (directory === undefined) return undefined;
        const native = natives.get(directory) ?? isNativePackage(directory);
        natives.set(directory, native);
        if (!native) return undefined;
        onNative({ packageName, importerDirectory: resolveDir });
        return { path, external: true };
      });
    },
  };
}

/** The package that an import such as `@scope/name/part` names. */
export function packageNameOf(specifier: string): string {
  const [first = '', second = ''] = specifier.split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

/** The directory of a package as Node finds it from `from`; undefined if it is not installed. */
export function findPackage(packageName: string, from: string): string | undefined {
  for (let directory = from; ; directory = dirname(directory)) {
    const candidate = join(directory, 'node_modules', packageName);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
    if (dirname(directory) === directory) return undefined;
  }
}

/** Whether the package in this directory loads compiled code. */
export function isNativePackage(directory: string): boolean {
  if (existsSync(join(directory, 'binding.gyp'))) return true;
  const manifest = readManifest(directory);
  if (manifest['gypfile'] === true || 'napi' in manifest) return true;
  const optional = Object.keys(asRecord(manifest['optionalDependencies']));
  if (optional.some((name) => platformPackagePattern.test(name))) return true;
  const needed = [...Object.keys(asRecord(manifest['dependencies'])), ...optional];
  return needed.some((name) => loaderPackages.has(name)) || hasBinary(directory);
}

function hasBinary(directory: string): boolean {
  if (listFiles(join(directory, 'prebuilds')).length > 0) return true;
  return binaryFolders.some((folder) =>
    listFiles(join(directory, folder)).some((name) => name.endsWith('.node')),
  );
}

function listFiles(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function readManifest(directory: string): Readonly<Record<string, unknown>> {
  return asRecord(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')));
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
