/**
 * Hooks: functions of the user's that are called when something happens in a worker or a planner.
 *
 * A module that the setting `hooks` names registers them while it is loaded. The registry is found on `globalThis`, like
 * the API of a jugfile: the module may reach another copy of jugq than the one that runs.
 */
import { JugqError } from './errors.ts';

/** What a hook is told, by its name. */
export interface HookEvents {
  'worker:started': { readonly worker: string; readonly threads: number };
  'worker:ended': { readonly worker: string; readonly tasks: number };
  'task:started': { readonly task: string; readonly function: string; readonly worker: string };
  /** Its result is stored. */
  'task:finished': {
    readonly task: string;
    readonly function: string;
    readonly worker: string;
    /** How long it ran. */
    readonly ms: number;
  };
  /** An attempt failed; `final`: there will be no other. */
  'task:failed': {
    readonly task: string;
    readonly function: string;
    readonly worker: string;
    readonly final: boolean;
    readonly reason: string;
  };
  /** By `run` and `plan`: evaluated as far as results go. */
  'jugfile:loaded': {
    readonly jugfile: string;
    readonly args: readonly string[];
    readonly tasks: number;
  };
  'run:planned': {
    readonly run: string;
    readonly jugfile: string;
    readonly tasks: number;
    readonly cached: number;
  };
  /** In the process that dispatches, or that planned a run with nothing to do. */
  'run:ended': { readonly run: string; readonly state: string };
}

/** The names of the hooks. */
export type HookName = keyof HookEvents;

/** All hooks that there are. */
export const hookNames: readonly HookName[] = [
  'worker:started',
  'worker:ended',
  'task:started',
  'task:finished',
  'task:failed',
  'jugfile:loaded',
  'run:planned',
  'run:ended',
];

/** What a hook may give back: a promise is awaited before its process ends. */
export type HookCallback<Name extends HookName> = (
  event: HookEvents[Name],
) => void | PromiseLike<void>;

export const hooksSymbol = Symbol.for('jugq.hooks');

/** Where `on` finds what takes its callbacks. */
export type HookRegistry = <Name extends HookName>(
  name: Name,
  callback: HookCallback<Name>,
) => void;

/**
 * Calls a function whenever something happens in this worker or planner; for modules that the setting `hooks` names.
 *
 * What the function throws is told on stderr and harms no task.
 *
 * @throws JugqError `USAGE` if there is no such hook, or the module was not loaded by that setting
 */
export function on<Name extends HookName>(name: Name, callback: HookCallback<Name>): void {
  const registry = (globalThis as { [hooksSymbol]?: HookRegistry })[hooksSymbol];
  if (registry === undefined) {
    throw new JugqError(
      'USAGE',
      `on(${JSON.stringify(name)}) was called where nothing calls hooks: put it into a module that the setting hooks names`,
    );
  }
  registry(name, callback);
}
