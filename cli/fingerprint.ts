/**
 * Fingerprints of task functions: which version of its code made a result.
 *
 * A fingerprint covers the function's own text in its own source file, methods and inner functions included, without
 * types, comments and layout. It does not depend on the directory, the machine, or what else the jugfile holds.
 *
 * It does **not** cover what the function calls or refers to: helpers, constants of its module, closures (two functions
 * made by one factory have one fingerprint), imported modules and packages, Node's version. A change there is for the
 * user to say, by the task option `version`. Unlike the jugfile's bundle, it may change with a release of jugq that comes
 * with another version of esbuild, if that prints code differently.
 */
import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { TraceMap } from '@jridgewell/trace-mapping';
import type { Loader } from 'esbuild';
import type { Bundle } from './bundle.ts';
import { withEsbuild } from './esbuild-service.ts';
import { parseFunctions, type FunctionRange } from './function-ranges.ts';
import { positionFinder, type SourcePosition } from './source-position.ts';

/** Version of this scheme: part of every hash, so that a new scheme cannot agree with an old one by chance. */
const schemeVersion = 1;
/** 80 bits: ample for telling versions of one function apart. */
const hexLength = 20;

/**
 * The fingerprint of each task function.
 *
 * Where a function's own text cannot be found (native, bound, made by `new Function`, from an external package, or from
 * a package whose source map leaves its sources out), its fingerprint is of the text that it has in the bundle: still
 * stable for one bundle, but all native and bound functions share one, and a renaming by the bundler shows.
 *
 * @param bundle - what the functions were evaluated from
 * @param functions - name of the task function → `fn.toString()` in the evaluated bundle of each function of the user's
 *   behind it; where there are several, as in `mapReduce`, all count
 * @returns name of the task function → 20 lower-case hex digits, in the same order
 */
export async function fingerprintFunctions(
  bundle: Bundle,
  functions: ReadonlyMap<string, readonly string[]>,
): Promise<Map<string, string>> {
  const map = new TraceMap(bundle.map);
  const positions = locateFunctions(bundle.code, new Set([...functions.values()].flat()), map);
  const sources = new Set([...positions.values()].flat().map(({ source }) => source));
  const modules = await readModules(sources, map);
  return new Map(
    [...functions].map(([name, texts]) => {
      const parts = texts.flatMap((text) => {
        const own = ownText(positions.get(text) ?? [], modules);
        return own === undefined ? ['bundled', text] : ['own', own];
      });
      return [name, digest(parts)];
    }),
  );
}

/** The functions of a source file: where each starts in it → its tokens, when types are gone. */
type Module = ReadonlyMap<string, string>;

/**
 * Where the text of each function stands in the sources.
 *
 * A text that stands once in the bundle needs no parsing. One that stands more often may be the beginning of a longer
 * arrow function, or lie within a string: then the bundle is parsed, and only whole functions count.
 */
function locateFunctions(
  code: string,
  texts: ReadonlySet<string>,
  map: TraceMap,
): Map<string, SourcePosition[]> {
  const positionOf = positionFinder(code, map);
  let wholeFunctions: ReadonlySet<string> | undefined;
  const positions = new Map<string, SourcePosition[]>();
  for (const text of texts) {
    let offsets = text === '' ? [] : offsetsOf(text, code);
    if (offsets.length > 1) {
      wholeFunctions ??= new Set(parseFunctions(code).ranges.map(rangeKey));
      const whole = wholeFunctions;
      offsets = offsets.filter((start) => whole.has(rangeKey({ start, end: start + text.length })));
    }
    positions.set(
      text,
      offsets.flatMap((offset) => positionOf(offset) ?? []),
    );
  }
  return positions;
}

function offsetsOf(text: string, code: string): number[] {
  const offsets: number[] = [];
  for (let at = code.indexOf(text); at >= 0; at = code.indexOf(text, at + 1)) offsets.push(at);
  return offsets;
}

/**
 * The text of the function at these places, or undefined if it stands at none of them.
 *
 * Functions whose bundled texts are equal can differ only by names that the bundler gave; the least text is taken, since
 * it does not depend on the order of modules.
 */
function ownText(
  places: readonly SourcePosition[],
  modules: ReadonlyMap<string, Module>,
): string | undefined {
  return places
    .flatMap((place) => modules.get(place.source)?.get(placeKey(place)) ?? [])
    .sort()
    .at(0);
}

function placeKey({ line, column }: SourcePosition): string {
  return [line, column].join(':');
}

function rangeKey({ start, end }: FunctionRange): string {
  return [start, end].join(':');
}

async function readModules(
  sources: ReadonlySet<string>,
  map: TraceMap,
): Promise<Map<string, Module>> {
  const modules = new Map<string, Module>();
  await withEsbuild(({ transform }) =>
    Promise.all(
      [...sources].map(async (source) => {
        const text = map.sourcesContent?.[map.sources.indexOf(source)];
        const module = text == null ? undefined : await readModule(source, text, transform);
        if (module !== undefined) modules.set(source, module);
      }),
    ),
  );
  return modules;
}

/** The functions of one source file, keyed by where they stand in it; undefined if it is no JavaScript or TypeScript. */
async function readModule(
  source: string,
  text: string,
  transform: typeof import('esbuild').transform,
): Promise<Module | undefined> {
  const result = await transform(text, {
    loader: loaderOf(source),
    target: 'node20',
    sourcemap: 'external',
    sourcesContent: false,
    charset: 'utf8',
    logLevel: 'silent',
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
  }).catch(() => undefined);
  if (result === undefined) return undefined;
  const positionOf = positionFinder(result.code, new TraceMap(result.map));
  const { ranges, tokensIn } = parseFunctions(result.code);
  const functions = new Map<string, string>();
  for (const range of ranges) {
    const position = positionOf(range.start);
    if (position === undefined || functions.has(placeKey(position))) continue;
    functions.set(placeKey(position), tokensIn(range));
  }
  return functions;
}

function loaderOf(source: string): Loader {
  switch (extname(source)) {
    case '.ts':
    case '.mts':
    case '.cts':
      return 'ts';
    case '.tsx':
      return 'tsx';
    default:
      return 'jsx';
  }
}

function digest(parts: readonly string[]): string {
  const text = JSON.stringify([schemeVersion, ...parts]);
  return createHash('sha256').update(text).digest('hex').slice(0, hexLength);
}
