/**
 * Where a bundled jugfile finds the API of the thread that evaluates it.
 *
 * A bundle imports no copy of jugq: its `import … from 'jugq'` reads the object that the thread has put on `globalThis`
 * under this symbol, so that tasks are recorded by the one copy that is already loaded.
 */
import { hashKey } from './canonical.ts';
import { context } from './context.ts';
import { isJugqError, JugqError } from './errors.ts';
import { shell } from './external.ts';
import { file, files } from './files.ts';
import { map, mapReduce, reduce, starMap } from './map.ts';
import { derive, pick, split } from './parts.ts';
import type { TableEntry } from './plain-functions.ts';
import { barrier, cached, compound, value } from './planning.ts';
import { currentEvaluation, task } from './task.ts';
import { after, lazy, literal, noHash } from './wrapped.ts';

export const jugfileApiSymbol = Symbol.for('jugq');

/** Where a bundle tells of the functions in it that are found by name. */
export const functionTableSymbol = Symbol.for('jugq.functions');

const api = {
  task,
  context,
  value,
  barrier,
  cached,
  compound,
  pick,
  split,
  derive,
  noHash,
  literal,
  after,
  lazy,
  file,
  files,
  shell,
  map,
  starMap,
  reduce,
  mapReduce,
  hashKey,
  isJugqError,
  JugqError,
};

/** What a jugfile may import from `jugq`. */
export const jugfileApiNames: readonly string[] = Object.keys(api);

/** Lets bundles in this thread reach this copy of jugq. */
export function installJugfileApi(): void {
  const table = (entries: readonly TableEntry[]): void =>
    currentEvaluation.getStore()?.plainFunctions?.add(entries);
  Object.defineProperty(globalThis, jugfileApiSymbol, { value: api, configurable: true });
  Object.defineProperty(globalThis, functionTableSymbol, { value: table, configurable: true });
}
