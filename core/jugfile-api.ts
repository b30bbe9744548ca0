/**
 * Where a bundled jugfile finds the API of the thread that evaluates it.
 *
 * A bundle imports no copy of jugq: its `import … from 'jugq'` reads the object that the thread has put on `globalThis`
 * under this symbol, so that tasks are recorded by the one copy that is already loaded.
 */
import { hashKey } from './canonical.ts';
import { isJugqError, JugqError } from './errors.ts';
import { context } from './context.ts';
import { barrier, cached, compound, value } from './planning.ts';
import { task } from './task.ts';

export const jugfileApiSymbol = Symbol.for('jugq');

const api = { task, context, value, barrier, cached, compound, hashKey, isJugqError, JugqError };

/** What a jugfile may import from `jugq`. */
export const jugfileApiNames: readonly string[] = Object.keys(api);

/** Lets bundles in this thread reach this copy of jugq. */
export function installJugfileApi(): void {
  Object.defineProperty(globalThis, jugfileApiSymbol, { value: api, configurable: true });
}
