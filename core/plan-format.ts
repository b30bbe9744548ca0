/**
 * A plan as bytes: a JSON head, then the arrays of the graph as they are in memory (little-endian, each on an 8-byte
 * boundary), so that a million tasks are read without touching each.
 */
import { JugqError } from './errors.ts';
import type { Expansion, ExpansionGraph } from './expansions.ts';
import type { FunctionFacts, Graph } from './graph.ts';
import { wordsPerHash } from './hash-index.ts';
import type { RunId } from './identifiers.ts';
import type { PastResults, StreamPlace } from './known-results.ts';
import { isUnreadable, requireFormat } from './wire.ts';

export const planFormat = 1;

/** Arguments that were too large to travel in a message, by position of their task. */
export type SpilledArguments = ReadonlyMap<number, SpilledArgument>;
export interface SpilledArgument {
  readonly blob: string;
  readonly size: number;
  readonly digest: string;
}

/** Something that planning waits for before it goes on. */
export interface PlanWait {
  /** Where in the jugfile, for people. */
  readonly place: string;
  /** Positions of the tasks that must be finished; or how many from the first on, for a barrier. */
  readonly tasks: readonly number[] | number;
}

/** What a run stores and a dispatcher reads. */
export interface Plan {
  readonly graph: Graph;
  /** Digest of the bundle that declares the tasks. */
  readonly code: string;
  readonly spilled: SpilledArguments;
  /** Compounds whose inner tasks are not in the graph: they have a result, or planning is not yet done with them. */
  readonly open: readonly number[];
  /** Tasks of functions with `keep: false` that stay all the same. */
  readonly kept: readonly number[];
  /** Planning goes on when one of these has come to its end; none: the plan is whole. */
  readonly waits: readonly PlanWait[];
  /** Absent where nobody looked. */
  readonly past?: PastResults | undefined;
}

/** What is stored to remember what compounds are made of has the form of a plan that nobody runs. */
interface StoredGraph extends Plan {
  readonly expansions?: readonly Expansion[];
}

interface Head {
  readonly format: number;
  readonly code: string;
  readonly count: number;
  readonly functions: readonly FunctionFacts[];
  readonly spilled: readonly (readonly [number, SpilledArgument])[];
  readonly open: readonly number[];
  /** Absent in plans of versions that knew no such tasks. */
  readonly kept?: readonly number[];
  readonly waits: readonly PlanWait[];
  readonly expansions?: readonly Expansion[];
  /** Where the results' stream stood, if what was there then is in the last three sections. */
  readonly past?: StreamPlace;
  /** Bytes of each section, in the order of `sections`. */
  readonly lengths: readonly number[];
}

/** The plan as pieces, to be stored one after another. */
export function encodePlan(plan: Plan): Uint8Array[] {
  return encodeStored(plan);
}

/** What compounds are made of, as pieces. */
export function encodeExpansions({ graph, expansions }: ExpansionGraph): Uint8Array[] {
  const nothing = { spilled: new Map(), open: [], kept: [], waits: [] };
  return encodeStored({ graph, code: '', ...nothing, expansions });
}

function encodeStored(plan: StoredGraph): Uint8Array[] {
  const { graph, past } = plan;
  const sections = [
    graph.hashes,
    graph.functionOf,
    graph.dependencies.start,
    graph.dependencies.items,
    graph.argumentStart,
    graph.argumentBytes,
    ...(past === undefined ? [] : [past.tasks, past.revisions, past.bits]),
  ].map((each) => new Uint8Array(each.buffer, each.byteOffset, each.byteLength));
  const head: Head = {
    format: planFormat,
    code: plan.code,
    count: graph.count,
    functions: graph.functions,
    spilled: [...plan.spilled],
    open: plan.open,
    kept: plan.kept,
    waits: plan.waits,
    ...(plan.expansions === undefined ? {} : { expansions: plan.expansions }),
    ...(past === undefined ? {} : { past: past.upTo }),
    lengths: sections.map((each) => each.length),
  };
  const headBytes = new TextEncoder().encode(JSON.stringify(head));
  const first = new Uint8Array(8 + aligned(headBytes.length));
  new DataView(first.buffer).setUint32(0, headBytes.length, true);
  first.set(headBytes, 8);
  return [
    first,
    ...sections.flatMap((each) => [each, new Uint8Array(aligned(each.length) - each.length)]),
  ];
}

/**
 * Reads a plan; the arrays are views of `bytes`, or of a copy of them where they are not aligned.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodePlan(bytes: Uint8Array): Plan {
  const { expansions: _, ...plan } = decodeStored(bytes);
  return plan;
}

/**
 * Reads what compounds are made of; as `decodePlan`.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodeExpansions(bytes: Uint8Array): ExpansionGraph {
  const { graph, expansions = [] } = decodeStored(bytes);
  return { graph, expansions };
}

function decodeStored(bytes: Uint8Array): StoredGraph {
  // Not `slice`, which is a view and no copy where the bytes are a Buffer.
  const whole = bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes);
  if (whole.length < 8) throw corrupt();
  const headLength = new DataView(whole.buffer, whole.byteOffset).getUint32(0, true);
  const head = parseHead(new TextDecoder().decode(whole.subarray(8, 8 + headLength)));
  let at = 8 + aligned(headLength);
  const sections = head.lengths.map((length) => {
    const end = at + aligned(length);
    if (end > whole.length) throw corrupt();
    const section = new Uint8Array(whole.buffer, whole.byteOffset + at, length);
    at = end;
    return section;
  });
  const [hashes, functionOf, start, items, argumentStart, argumentBytes, ...rest] = sections;
  if (argumentBytes === undefined) throw corrupt();
  const graph: Graph = {
    count: head.count,
    functions: head.functions,
    hashes: words(hashes, head.count * wordsPerHash),
    functionOf: words(functionOf, head.count),
    dependencies: { start: words(start, head.count + 1), items: words(items) },
    argumentStart: words(argumentStart, head.count + 1),
    argumentBytes,
  };
  const { code, open, kept = [], waits, expansions = [] } = head;
  const past = head.past === undefined ? {} : { past: readPast(head.past, rest) };
  return { graph, code, spilled: new Map(head.spilled), open, kept, waits, expansions, ...past };
}

/**
 * As `decodePlan`, with errors that name the run.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodePlanOf(run: RunId, bytes: Uint8Array): Plan {
  try {
    return decodePlan(bytes);
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    const { code, message } = error;
    throw new JugqError(code, `the plan of run ${run} cannot be used: ${message}`, {
      cause: error,
    });
  }
}

function readPast(upTo: StreamPlace, [tasks, revisions, bits]: readonly Uint8Array[]): PastResults {
  const count = bits?.length;
  if (bits === undefined || revisions?.length !== 8 * bits.length) throw corrupt();
  return {
    upTo,
    tasks: words(tasks, count),
    revisions: new Float64Array(revisions.buffer, revisions.byteOffset, count),
    bits,
  };
}

/** The numbers of a section, as many as there must be. */
function words(section: Uint8Array | undefined, count?: number): Uint32Array {
  const length = section === undefined ? NaN : section.length / 4;
  if (section === undefined || length !== (count ?? Math.floor(length))) throw corrupt();
  return new Uint32Array(section.buffer, section.byteOffset, length);
}

function parseHead(text: string): Head {
  let head: Head | null;
  try {
    head = JSON.parse(text) as Head | null;
  } catch {
    throw corrupt();
  }
  if (head === null || typeof head !== 'object' || !('format' in head)) throw corrupt();
  requireFormat(head.format, planFormat, 'a plan');
  const lists = [head.lengths, head.spilled, head.open, head.waits];
  if (!lists.every((each) => Array.isArray(each))) throw corrupt();
  return head;
}

function aligned(length: number): number {
  return Math.ceil(length / 8) * 8;
}

function corrupt(): JugqError {
  return new JugqError('VALUE_CORRUPT', 'a stored plan is not readable: plan the jugfile again');
}
