/** Results as users name them: an export of a jugfile, a task, the beginning of an id. */
import { inspect } from 'node:util';
import type { OpenProject } from '../broker/project.ts';
import { decodeArguments, decodeValue } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import { idOf } from '../core/graph.ts';
import { isTaskId, type TaskId } from '../core/identifiers.ts';
import {
  functionsIn,
  isFile,
  isLazy,
  placesIn,
  resolveReference,
  type PartReference,
  type Reference,
} from '../core/references.ts';
import { resultStore } from '../worker/result-store.ts';
import { deriveParts } from './derive-parts.ts';
import { requireWhole, type LoadedJugfile } from './load-jugfile.ts';
import { learnAlone } from './task-standings.ts';

/** Stands in a value where a task was. */
export class TaskPlace {
  readonly id: TaskId;

  constructor(id: TaskId) {
    this.id = id;
  }

  [inspect.custom](): string {
    return `Task ${this.id}`;
  }
}

/** Stands in a value where a part of a task was. */
export class PartPlace {
  /** Its numbers are places in `inputs`. */
  readonly reference: PartReference;
  readonly inputs: ReadonlyMap<number, TaskId>;
  /** The bundle with the functions that may be needed. */
  readonly file: string;

  constructor(place: Pick<PartPlace, 'reference' | 'inputs' | 'file'>) {
    this.reference = place.reference;
    this.inputs = place.inputs;
    this.file = place.file;
  }
}

/**
 * An export of a jugfile, with a place for each task in it.
 *
 * @throws JugqError `UNKNOWN_EXPORT`, naming those that there are; `PARKED`
 */
export function exportOf(loaded: LoadedJugfile, name: string): unknown {
  requireWhole(loaded);
  const found = loaded.exports.get(name);
  if (found === undefined) {
    const names = [...loaded.exports.keys()];
    const have = names.length === 0 ? 'it exports nothing' : `it exports ${names.join(', ')}`;
    throw new JugqError('UNKNOWN_EXPORT', `${loaded.path} has no export ${name}: ${have}`);
  }
  if (found.kind === 'unsupported') {
    throw new JugqError(
      'UNKNOWN_EXPORT',
      `the export ${name} of ${loaded.path} is no value: ${found.why}`,
    );
  }
  return decodeExport(loaded, found.bytes);
}

/** An encoded export, with a place for each task in it. */
export function decodeExport(loaded: LoadedJugfile, bytes: Uint8Array): unknown {
  const { graph, file } = loaded;
  const placeOf = (reference: Reference): unknown => {
    if (typeof reference === 'string') return reference;
    if (isFile(reference)) return reference.path;
    // Whoever looks at it wants what it leads to.
    if (isLazy(reference)) return placeOf(reference.lazy);
    if (typeof reference === 'number') return new TaskPlace(idOf(graph, reference));
    const inputs = placesIn(reference).map((place) => [place, idOf(graph, place)] as const);
    return new PartPlace({ reference, inputs: new Map(inputs), file });
  };
  const [value] = decodeArguments(bytes, placeOf);
  return value;
}

/** The ids of all tasks in a structure. */
export function tasksIn(value: unknown): Set<TaskId> {
  const ids = placesOf(value).flatMap((place) =>
    place instanceof TaskPlace ? [place.id] : [...place.inputs.values()],
  );
  return new Set(ids);
}

/** What stands for tasks and their parts in a structure. */
function placesOf(
  value: unknown,
  found: (TaskPlace | PartPlace)[] = [],
): (TaskPlace | PartPlace)[] {
  if (value instanceof TaskPlace || value instanceof PartPlace) found.push(value);
  else for (const item of itemsOf(value)) placesOf(item, found);
  return found;
}

/** A structure with a value in each place. */
export function fill(value: unknown, valueOf: (place: TaskPlace | PartPlace) => unknown): unknown {
  const each = (item: unknown): unknown => fill(item, valueOf);
  if (value instanceof TaskPlace || value instanceof PartPlace) return valueOf(value);
  if (Array.isArray(value)) return value.map(each);
  if (value instanceof Map)
    return new Map([...value].map(([key, item]) => [each(key), each(item)]));
  if (value instanceof Set) return new Set([...value].map(each));
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, each(item)]));
}

/**
 * Reads the results of tasks.
 *
 * @throws JugqError `RESULT_MISSING`, naming what is missing
 */
export async function readResults(
  project: OpenProject,
  ids: ReadonlySet<TaskId>,
): Promise<Map<TaskId, Uint8Array>> {
  const found = new Map<TaskId, Uint8Array>();
  const missing: TaskId[] = [];
  const read = async (id: TaskId): Promise<void> => {
    const stored = await project.results.readLast(id);
    if (stored?.present === true) found.set(id, await project.results.valueOf(stored));
    else missing.push(id);
  };
  const all = [...ids];
  for (let at = 0; at < all.length; at += readAtOnce) {
    await Promise.all(all.slice(at, at + readAtOnce).map(read));
  }
  if (missing.length > 0) throw await resultMissing(project, missing.sort());
  return found;
}

const readAtOnce = 256;
const namedMax = 5;
const reasonLettersMax = 200;

/** Says of the first few how they failed: then running the jugfile again is not all that is to be done. */
async function resultMissing(project: OpenProject, missing: readonly TaskId[]): Promise<JugqError> {
  const named = missing.slice(0, namedMax);
  const failures = await Promise.all(named.map((id) => describeFailure(project, id)));
  const more = missing.length - named.length;
  const what =
    missing.length === 1
      ? `${named.join('')} has no result${failures.join('')}`
      : `${missing.length.toString()} tasks have no result: ${named
          .map((id, at) => `${id}${failures[at] ?? ''}`)
          .join(', ')}${more > 0 ? ` and ${more.toString()} more` : ''}`;
  const advice = failures.some((each) => each !== '')
    ? 'see jugq failures, mend the cause, then run the jugfile again'
    : `run ${missing.length === 1 ? 'its' : 'their'} jugfile, or see jugq status`;
  return new JugqError('RESULT_MISSING', `${what}: ${advice}`, { fields: { missing } });
}

/** How the last attempt at a task failed; empty: nothing is known against it. */
async function describeFailure(project: OpenProject, id: TaskId): Promise<string> {
  const { failure } = await learnAlone(project, id);
  if (failure === undefined || failure.kind === 'strike') return '';
  const { name, message } = failure.error;
  const what = failure.kind === 'final' ? 'it failed' : 'it failed and is to be tried again';
  return `: ${what}: ${name}: ${message.slice(0, reasonLettersMax)}`;
}

/**
 * The value of a structure: each task in it replaced by its result.
 *
 * @throws JugqError `RESULT_MISSING`, `PART_MISSING`; `JUGFILE_THREW` for what the user's functions throw
 */
export async function resolveResults(project: OpenProject, value: unknown): Promise<unknown> {
  const results = await readResults(project, tasksIn(value));
  const parts = placesOf(value).filter((each) => each instanceof PartPlace);
  const derived = await deriveParts(
    parts.filter(({ reference }) => functionsIn(reference).length > 0),
    results,
    resultStore(project, 'reader'),
  );
  // Parts of one result share its value: a result of a million parts is read once.
  const decoded = new Map<TaskId, unknown>();
  const valueOf = (id: TaskId | undefined): unknown => {
    const bytes = id === undefined ? undefined : results.get(id);
    if (id === undefined || bytes === undefined) return undefined;
    if (!decoded.has(id)) decoded.set(id, decodeValue(bytes));
    return decoded.get(id);
  };
  return fill(value, (place) => {
    if (place instanceof TaskPlace) return decodeValue(results.get(place.id) ?? new Uint8Array());
    if (derived.has(place)) return derived.get(place);
    return resolveReference(place.reference, {
      input: (at) => valueOf(place.inputs.get(at)),
      functionNamed: (name) => {
        throw new JugqError('BUG', `${name} is called where no function of a jugfile is`);
      },
    });
  });
}

/**
 * The one task whose id begins so, among those with a result.
 *
 * @throws JugqError `AMBIGUOUS_ID` with the candidates, `RESULT_MISSING` if there is none
 */
export async function findByPrefix(project: OpenProject, prefix: string): Promise<TaskId> {
  if (isTaskId(prefix)) return prefix;
  const ids = await project.results.idsWithPrefix(prefix);
  const [found, ...others] = ids;
  if (found === undefined) {
    throw new JugqError(
      'RESULT_MISSING',
      `no result has an id that begins with ${prefix}: see jugq status for what there is`,
    );
  }
  if (others.length === 0) return found;
  throw ambiguousId(prefix, ids);
}

/** Says which ids begin so. */
export function ambiguousId(prefix: string, ids: readonly TaskId[]): JugqError {
  const shown = ids.slice(0, candidatesMax).join('\n  ');
  const more =
    ids.length > candidatesMax ? `\n  … and ${(ids.length - candidatesMax).toString()} more` : '';
  return new JugqError(
    'AMBIGUOUS_ID',
    `${prefix} could be any of\n  ${shown}${more}\ngive more of it`,
  );
}

const candidatesMax = 20;

function itemsOf(value: unknown): Iterable<unknown> {
  if (Array.isArray(value) || value instanceof Set) return value as Iterable<unknown>;
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)].flat();
  return isPlainObject(value) ? Object.values(value) : [];
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
