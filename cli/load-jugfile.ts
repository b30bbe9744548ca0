/** From a jugfile's path to what it declares: bundled, evaluated, fingerprinted. */
import { JugqError } from '../core/errors.ts';
import type { Expansion } from '../core/expansions.ts';
import { idOf, type Graph } from '../core/graph.ts';
import type { TaskId } from '../core/identifiers.ts';
import type { PlanWait } from '../core/plan-format.ts';
import { placeBundle } from '../worker/bundle-file.ts';
import {
  Evaluation,
  type EncodedExport,
  type EvaluationStep,
  type ResultStore,
} from '../worker/evaluate.ts';
import type { Bundle } from './bundle.ts';
import { jugfileName } from './jugfile-name.ts';

/** A jugfile, evaluated as far as the stored results go. */
export interface LoadedJugfile {
  /** As the user named it. */
  readonly path: string;
  /** As it is recorded, see `jugfileName`. */
  readonly name: string;
  readonly args: readonly string[];
  readonly bundle: Bundle;
  /** Where the bundle lies on disk. */
  readonly file: string;
  readonly graph: Graph;
  /** Compounds in the graph that are not expanded, by position. */
  readonly open: readonly number[];
  /** See `Snapshot`. */
  readonly kept: readonly number[];
  /** Compounds that have been expanded since the jugfile was last as far as it went. */
  readonly expansions: readonly Expansion[];
  /** What planning waits for; none: the jugfile has come to its end. */
  readonly waits: readonly PlanWait[];
  /** None while planning waits for something. */
  readonly exports: ReadonlyMap<string, EncodedExport>;
}

export interface LoadOptions {
  readonly cwd: string;
  readonly args: readonly string[];
  /** Packages to leave out of the bundle. */
  readonly external: readonly string[];
  readonly store: ResultStore;
  readonly onWarning: (message: string) => void;
  readonly onProgress: (tasks: number) => void;
  readonly signal?: AbortSignal;
}

/** A jugfile whose evaluation can go on when what it waits for is there. */
export interface OpenJugfile {
  readonly loaded: LoadedJugfile;
  /**
   * Goes on as far as the stored results go.
   *
   * @throws JugqError as `Evaluation.advance` does
   */
  advance(): Promise<LoadedJugfile>;
  /** See `Evaluation`: then `advance` has something to tell, whatever the jugfile waits for. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/**
 * Loads a jugfile and ends its evaluation where that stands.
 *
 * @throws JugqError as `openJugfile` does
 */
export async function loadJugfile(path: string, options: LoadOptions): Promise<LoadedJugfile> {
  const open = await openJugfile(path, options);
  await open.close();
  return open.loaded;
}

/**
 * Loads a jugfile, and keeps its evaluation to go on with.
 *
 * @throws JugqError as `bundleJugfile` and `Evaluation.advance` do
 */
export async function openJugfile(path: string, options: LoadOptions): Promise<OpenJugfile> {
  // Every command that may be given a jugfile comes by here, and few are: what reads code is loaded for those.
  const { withEsbuild } = await import('./esbuild-service.ts');
  // The code is bundled before it is evaluated, and fingerprinted after that.
  return withEsbuild(() => bundleAndEvaluate(path, options));
}

async function bundleAndEvaluate(path: string, options: LoadOptions): Promise<OpenJugfile> {
  const { bundleJugfile } = await import('./bundle.ts');
  const bundle = await bundleJugfile(path, { cwd: options.cwd, external: options.external });
  for (const warning of bundle.warnings) options.onWarning(warning);
  const name = jugfileName(options.cwd, path);
  const file = placeBundle(bundle.digest, bundle.code, options.cwd);
  const evaluation = new Evaluation({
    jugfile: path,
    file,
    directory: bundle.directory,
    args: options.args,
    onProgress: options.onProgress,
    store: options.store,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const fingerprints = new Map<string, string>();
  const told = new Set<TaskId>();
  const advance = async (): Promise<LoadedJugfile> => {
    const step = await evaluation.advance();
    await addFingerprints(bundle, step, fingerprints);
    const functions = step.graph.functions.map((each) => ({
      ...each,
      fingerprint: fingerprints.get(each.name) ?? '',
    }));
    return {
      path,
      name,
      args: options.args,
      bundle,
      file,
      graph: { ...step.graph, functions },
      open: step.open,
      kept: step.kept,
      expansions: step.expansions.filter(({ compound }) => isNew(told, idOf(step.graph, compound))),
      waits: step.kind === 'parked' ? step.waits : [],
      exports: step.kind === 'evaluated' ? step.exports : new Map(),
    };
  };
  try {
    let loaded = await advance();
    return {
      get loaded() {
        return loaded;
      },
      advance: async () => (loaded = await advance()),
      ended: evaluation.ended,
      close: () => evaluation.close(),
    };
  } catch (error) {
    await evaluation.close();
    throw error;
  }
}

function isNew(told: Set<TaskId>, compound: TaskId): boolean {
  return told.size < told.add(compound).size;
}

/** What was fingerprinted at an earlier step stays as it is. */
async function addFingerprints(
  bundle: Bundle,
  { sources }: EvaluationStep,
  known: Map<string, string>,
): Promise<void> {
  const unknown = new Map([...sources].filter(([name]) => !known.has(name)));
  if (unknown.size === 0) return;
  const { fingerprintFunctions } = await import('./fingerprint.ts');
  for (const [name, each] of await fingerprintFunctions(bundle, unknown)) known.set(name, each);
}

/**
 * Refuses a jugfile whose planning waits for something: it has no exports yet.
 *
 * @throws JugqError `PARKED`
 */
export function requireWhole({ path, graph, waits }: LoadedJugfile): void {
  const [wait] = waits;
  if (wait === undefined) return;
  const { place, tasks } = wait;
  const what =
    typeof tasks === 'number'
      ? `all ${tasks.toString()} tasks before it`
      : tasks.map((task) => idOf(graph, task)).join(', ');
  throw new JugqError(
    'PARKED',
    `planning of ${path} is not done: at ${place} it waits for ${what}: run it with jugq run or plan it, then ask again; if it has run, see jugq failures`,
  );
}
