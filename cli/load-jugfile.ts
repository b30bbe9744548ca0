/** From a jugfile's path to what it declares: bundled, evaluated, fingerprinted. */
import type { Graph } from '../core/graph.ts';
import { placeBundle } from '../worker/bundle-file.ts';
import { evaluate, type EncodedExport } from '../worker/evaluate.ts';
import { bundleJugfile, type Bundle } from './bundle.ts';
import { fingerprintFunctions } from './fingerprint.ts';

/** A jugfile, evaluated. */
export interface LoadedJugfile {
  /** As the user named it. */
  readonly path: string;
  readonly args: readonly string[];
  readonly bundle: Bundle;
  readonly graph: Graph;
  readonly exports: ReadonlyMap<string, EncodedExport>;
}

export interface LoadOptions {
  readonly cwd: string;
  readonly args: readonly string[];
  /** Packages to leave out of the bundle. */
  readonly external: readonly string[];
  readonly onWarning: (message: string) => void;
  readonly onProgress: (tasks: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Loads a jugfile.
 *
 * @throws JugqError as `bundleJugfile` and `evaluate` do
 */
export async function loadJugfile(path: string, options: LoadOptions): Promise<LoadedJugfile> {
  const bundle = await bundleJugfile(path, { cwd: options.cwd, external: options.external });
  for (const warning of bundle.warnings) options.onWarning(warning);
  const evaluated = await evaluate({
    jugfile: path,
    file: placeBundle(bundle.digest, bundle.code, options.cwd),
    directory: bundle.directory,
    args: options.args,
    onProgress: options.onProgress,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const fingerprints = await fingerprintFunctions(bundle, evaluated.sources);
  const functions = evaluated.graph.functions.map((each) => ({
    ...each,
    fingerprint: fingerprints.get(each.name) ?? '',
  }));
  return {
    path,
    args: options.args,
    bundle,
    graph: { ...evaluated.graph, functions },
    exports: evaluated.exports,
  };
}
