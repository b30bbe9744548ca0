/** The modules that the setting `hooks` names, loaded, and their functions called. */
import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createHash } from 'node:crypto';
import type { BuildFailure, Plugin } from 'esbuild';
import { isJugqError, JugqError } from '../core/errors.ts';
import {
  hookNames,
  hooksSymbol,
  type HookCallback,
  type HookEvents,
  type HookName,
  type HookRegistry,
} from '../core/hooks.ts';
import { splitTaskId, type TaskId } from '../core/identifiers.ts';
import { formatUserError } from '../core/stack.ts';
import { placeBundle } from '../worker/bundle-file.ts';
import type { TraceEvent } from '../worker/trace.ts';
import { formatMs } from './amounts.ts';
import { buildError } from './bundle-errors.ts';
import { withEsbuild } from './esbuild-service.ts';
import { nearName } from './near-name.ts';
import { countOf } from './report.ts';
import type { Settings } from './settings.ts';

/** The functions that a process calls. */
export interface Hooks {
  /** Calls them; what they throw is told and harms nobody. */
  emit<Name extends HookName>(name: Name, event: HookEvents[Name]): void;
  /** Calls those that follow from what a worker or a dispatcher traces. */
  readonly see: (event: TraceEvent, worker?: string) => void;
  /** Resolves when what they have begun is done, or has taken too long. */
  settle(): Promise<void>;
}

export interface HooksPlace {
  readonly cwd: string;
  readonly say: (line: string) => void;
}

const settleMs = 5000;

type Callbacks = Map<HookName, ((event: never) => unknown)[]>;

/**
 * Loads the modules, in their order.
 *
 * @throws JugqError `SETTINGS_INVALID` if one of them is not there, cannot be read or fails, or registers an unknown name
 */
export async function loadHooks(
  { hooks: files }: Pick<Settings, 'hooks'>,
  place: HooksPlace,
): Promise<Hooks> {
  const callbacks: Callbacks = new Map();
  for (const file of files) {
    const before = registered(callbacks);
    await loadModule(file, place, registryOf(callbacks, file));
    if (registered(callbacks) === before)
      place.say(`the hooks module ${file} registers nothing: call on(name, callback) from 'jugq'`);
  }
  const begun = new Set<Promise<unknown>>();
  const complain = (name: HookName, error: unknown): void => {
    place.say(`a hook for ${name} failed: ${formatUserError(error)}`);
  };
  const emit = <Name extends HookName>(name: Name, event: HookEvents[Name]): void => {
    for (const callback of callbacks.get(name) ?? []) {
      try {
        // Safe because the registry files each callback under the name that types it.
        const pending = Promise.resolve((callback as HookCallback<Name>)(event)).catch(
          (error: unknown) => {
            complain(name, error);
          },
        );
        begun.add(pending);
        void pending.then(() => begun.delete(pending));
      } catch (error) {
        complain(name, error);
      }
    }
  };
  return {
    emit,
    see(event, worker = '') {
      if (callbacks.size > 0) emitTraced(emit, event, worker);
    },
    async settle() {
      const late = new Promise((resolve) => setTimeout(resolve, settleMs).unref());
      await Promise.race([Promise.all(begun), late]);
      if (begun.size === 0) return;
      place.say(
        `${countOf(begun.size, 'hook is', 'hooks are')} not done after ${formatMs(settleMs)}: not waited for any longer`,
      );
    },
  };
}

function registered(callbacks: Callbacks): number {
  return [...callbacks.values()].reduce((sum, each) => sum + each.length, 0);
}

function emitTraced(emit: Hooks['emit'], event: TraceEvent, worker: string): void {
  switch (event.kind) {
    case 'task-started':
      emit('task:started', { ...named(event.task), worker });
      break;
    case 'result-stored':
      emit('task:finished', { ...named(event.task), worker, ms: event.ms });
      break;
    case 'task-failed':
      emit('task:failed', {
        ...named(event.task),
        worker,
        final: event.final,
        reason: event.reason,
      });
      break;
    case 'run-over':
      emit('run:ended', { run: event.run, state: event.state });
      break;
    default:
  }
}

function named(task: TaskId): { readonly task: string; readonly function: string } {
  return { task, function: splitTaskId(task).functionName };
}

function registryOf(callbacks: Callbacks, file: string): HookRegistry {
  return (name, callback) => {
    // Plain JavaScript has no types to tell of a slip.
    if (!hookNames.includes(name)) {
      const near = nearName(name, hookNames);
      const hint = near === undefined ? `one of ${hookNames.join(', ')}` : `did you mean ${near}?`;
      throw new JugqError(
        'SETTINGS_INVALID',
        `there is no hook ${JSON.stringify(name)}: registered by ${file}: ${hint}`,
      );
    }
    callbacks.set(name, [...(callbacks.get(name) ?? []), callback]);
  };
}

async function loadModule(
  file: string,
  { cwd }: HooksPlace,
  registry: HookRegistry,
): Promise<void> {
  const code = await bundleModule(file, cwd);
  const path = placeBundle(createHash('sha256').update(code).digest('hex'), code, cwd);
  // What the module throws is to be shown where its author wrote it; maps are read only by imports that come after this.
  process.setSourceMapsEnabled(true);
  Object.defineProperty(globalThis, hooksSymbol, { value: registry, configurable: true });
  try {
    // Of its own: a module that is imported twice would register nothing the second time.
    await import(`${pathToFileURL(path).href}?${Math.random().toString(36)}`);
  } catch (cause) {
    if (isJugqError(cause)) throw cause;
    throw new JugqError(
      'SETTINGS_INVALID',
      `the hooks in ${file} cannot be loaded: ${formatUserError(cause)}`,
      { cause },
    );
  } finally {
    Reflect.deleteProperty(globalThis, hooksSymbol);
  }
}

/** As one module; packages stay outside and are found from the directory of the command. */
async function bundleModule(file: string, cwd: string): Promise<string> {
  try {
    readFileSync(file);
  } catch (cause) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `the setting hooks names ${file}, which cannot be read: ${(cause as Error).message}: check the path`,
      { cause },
    );
  }
  try {
    const result = await withEsbuild((esbuild) =>
      esbuild.build({
        entryPoints: [file],
        absWorkingDir: dirname(file),
        bundle: true,
        write: false,
        platform: 'node',
        format: 'esm',
        target: 'node20',
        sourcemap: 'inline',
        sourcesContent: false,
        sourceRoot: pathToFileURL(`${dirname(file)}/`).href,
        packages: 'external',
        logLevel: 'silent',
        plugins: [hooksApiPlugin],
      }),
    );
    return result.outputFiles[0]?.text ?? '';
  } catch (cause) {
    const { errors } = cause as Partial<BuildFailure>;
    if (errors === undefined) throw cause;
    const { message } = buildError(errors, file, { directory: dirname(file), cwd });
    throw new JugqError('SETTINGS_INVALID', `the hooks in ${file} cannot be loaded: ${message}`, {
      cause,
    });
  }
}

const namespace = 'jugq-hooks';

/** `jugq` in a module of hooks has one name, and no other copy of jugq is loaded for it. */
const hooksApiPlugin: Plugin = {
  name: 'hooks-api',
  setup(build) {
    build.onResolve({ filter: /^jugq$/ }, () => ({ path: 'hooks', namespace }));
    build.onLoad({ filter: /.*/, namespace }, () => ({
      contents: `export const on = globalThis[Symbol.for(${JSON.stringify(Symbol.keyFor(hooksSymbol))})];`,
      loader: 'js',
    }));
  },
};
