/**
 * Plain functions that tasks need by name: what `map`, `reduce` and `derive` are given.
 *
 * Such a function runs in other processes than the one that plans, so it must be found there again. A bundle begins with
 * a table of the functions that stand at the top level of its modules (`cli/function-table.ts`); whoever evaluates or
 * imports the bundle hears of them before any other line of it runs. A function that is not in the table, or not alone
 * in it under its name, is refused while planning.
 */
import { inspect } from 'node:util';
import { JugqError } from './errors.ts';
import { isFunctionName } from './identifiers.ts';
import type { Identity } from './identity.ts';
import { describe, identify, refer, refuseUse, type StandInObject } from './stand-in.ts';
import {
  callerLine,
  currentEvaluation,
  definitionOf,
  twoFunctions,
  type Definition,
  type Evaluation,
  type Source,
} from './task.ts';

/** A function by its name; it gives the function once that exists. */
export type TableEntry = readonly [name: string, get: () => unknown];

/** The table of one bundle. */
export class PlainFunctions {
  readonly #entries = new Map<string, (() => unknown)[]>();
  /** Those that were given to `map` and the like, and where. */
  readonly #used = new Map<string, { readonly fn: Source; readonly place: string }>();

  add(entries: readonly TableEntry[]): void {
    for (const [name, get] of entries) {
      const known = this.#entries.get(name);
      if (known === undefined) this.#entries.set(name, [get]);
      else known.push(get);
    }
  }

  /**
   * The function of this name; undefined if there is none, or not yet.
   *
   * @throws JugqError `FUNCTION_CLASH`
   */
  named(name: string): Source | undefined {
    const found = this.#all(name);
    if (found.length > 1) throw clash(name, 'the modules of the jugfile');
    return found[0];
  }

  /**
   * Remembers that a function is used by its name.
   *
   * @throws JugqError `FUNCTION_MISSING`, `FUNCTION_CLASH`
   */
  use(call: string, fn: Source): void {
    const { name } = fn;
    const place = callerLine();
    const all = this.#all(name);
    if (!all.includes(fn)) {
      throw new JugqError(
        'FUNCTION_MISSING',
        `${call}(): no worker can find the function ${name} by its name: ${place}: declare it at the top level of a module, or make it a task function with task(…)`,
      );
    }
    if (all.length > 1) throw clash(name, place);
    if (!this.#used.has(name)) this.#used.set(name, { fn, place });
  }

  /**
   * Checks that a definition of this name is of the function that is used by it.
   *
   * @throws JugqError `FUNCTION_CLASH`
   */
  requireSame(name: string, sources: readonly Source[], place: string): void {
    const used = this.#used.get(name);
    if (used !== undefined && !sources.includes(used.fn))
      throw twoFunctions(name, used.place, place);
  }

  /** Different functions of one name; one that is not there yet is as good as another function. */
  #all(name: string): readonly (Source | undefined)[] {
    const found = (this.#entries.get(name) ?? []).map((get) => {
      try {
        return get() as Source;
      } catch (error) {
        // A constant that its module has not come to yet.
        if (error instanceof ReferenceError) return undefined;
        throw error;
      }
    });
    return [...new Set(found)];
  }
}

function clash(name: string, place: string): JugqError {
  return new JugqError(
    'FUNCTION_CLASH',
    `several functions of the jugfile and what it imports are named ${name}: ${place}: rename yours, or make it a task function with task('other-name', …)`,
  );
}

/** A function that tasks refer to by its name. */
export interface NamedFunction {
  readonly name: string;
  readonly source: Source;
  /** Absent for a plain function. */
  readonly definition?: Definition;
  /** What stands for it in arguments. */
  readonly argument: object;
}

/**
 * Takes a plain function or a task function by its name.
 *
 * @param call - the function of jugq that it was given to
 * @throws JugqError `USAGE` for anything else, `FUNCTION_UNNAMED`, `FUNCTION_MISSING`, `FUNCTION_CLASH`
 */
export function namedFunction(call: string, fn: unknown): NamedFunction {
  const definition = definitionOf(fn);
  if (definition !== undefined) {
    const [source = definition.run] = definition.sources;
    return { name: definition.name, source, definition, argument: fn as object };
  }
  if (typeof fn !== 'function') {
    throw new JugqError(
      'USAGE',
      `${call}(): expected a function, got ${inspect(fn, { depth: 0 })}: ${callerLine()}`,
    );
  }
  const { name } = fn;
  if (!isFunctionName(name)) {
    const what = name === '' ? 'a function without a name' : `the name ${JSON.stringify(name)}`;
    throw new JugqError(
      'FUNCTION_UNNAMED',
      `${call}(): ${what} leads no worker to a function: ${callerLine()}: declare it at the top level, function name(…) { … }, or give it a name with task('name', …)`,
    );
  }
  const source = fn as Source;
  const evaluation = currentEvaluation.getStore();
  const defined = evaluation?.definitions.get(name);
  if (defined !== undefined && !defined.sources.includes(source))
    throw twoFunctions(name, defined.declaredAt, callerLine());
  // Workers look functions up when they need them; only planning has somebody to tell.
  if (evaluation?.recorder !== undefined) evaluation.plainFunctions?.use(call, source);
  return { name, source, argument: new FunctionHandle(name) };
}

/** The function of this name in a bundle: of a task function what it runs, else the plain one. */
export function functionNamed(evaluation: Evaluation, name: string): Source | undefined {
  return evaluation.definitions.get(name)?.run ?? evaluation.plainFunctions?.named(name);
}

/** Stands for a plain function. */
class FunctionHandle implements StandInObject {
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  [identify](): Identity {
    return { kind: 'function', name: this.#name };
  }

  [refer](): string {
    return this.#name;
  }

  [describe](): string {
    return `the function ${this.#name}`;
  }
}
refuseUse(FunctionHandle.prototype);
