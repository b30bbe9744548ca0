/**
 * A plan as bytes: a JSON head, then the arrays of the graph as they are in memory (little-endian, each on an 8-byte
 * boundary), so that a million tasks are read without touching each.
 */
import { JugqError } from './errors.ts';
import type { FunctionFacts, Graph } from './graph.ts';
import { requireFormat } from './wire.ts';

export const planFormat = 1;

/** Arguments that were too large to travel in a message, by position of their task. */
export type SpilledArguments = ReadonlyMap<number, SpilledArgument>;
export interface SpilledArgument {
  readonly blob: string;
  readonly size: number;
  readonly digest: string;
}

/** What a run stores and a dispatcher reads. */
export interface Plan {
  readonly graph: Graph;
  /** Digest of the bundle that declares the tasks. */
  readonly code: string;
  readonly spilled: SpilledArguments;
}

interface Head {
  readonly format: number;
  readonly code: string;
  readonly count: number;
  readonly functions: readonly FunctionFacts[];
  readonly spilled: readonly (readonly [number, SpilledArgument])[];
  /** Bytes of each section, in the order of `sections`. */
  readonly lengths: readonly number[];
}

/** The plan as pieces, to be stored one after another. */
export function encodePlan(plan: Plan): Uint8Array[] {
  const { graph } = plan;
  const sections = [
    graph.hashes,
    graph.functionOf,
    graph.dependencies.start,
    graph.dependencies.items,
    graph.argumentStart,
    graph.argumentBytes,
  ].map((each) => new Uint8Array(each.buffer, each.byteOffset, each.byteLength));
  const head: Head = {
    format: planFormat,
    code: plan.code,
    count: graph.count,
    functions: graph.functions,
    spilled: [...plan.spilled],
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
 * Reads a plan; the arrays are views of `bytes`.
 *
 * @throws JugqError `FORMAT_UNKNOWN`, `VALUE_CORRUPT`
 */
export function decodePlan(bytes: Uint8Array): Plan {
  const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const headLength = new DataView(whole.buffer, whole.byteOffset).getUint32(0, true);
  const head = parseHead(new TextDecoder().decode(whole.subarray(8, 8 + headLength)));
  let at = whole.byteOffset + 8 + aligned(headLength);
  const sections = head.lengths.map((length) => {
    const section = { at, length };
    at += aligned(length);
    return section;
  });
  if (at > whole.byteOffset + whole.length) throw corrupt();
  const words = (position: number): Uint32Array => {
    const section = sections[position];
    if (section === undefined) throw corrupt();
    return new Uint32Array(whole.buffer, section.at, section.length / 4);
  };
  const args = sections[5];
  if (args === undefined) throw corrupt();
  const graph: Graph = {
    count: head.count,
    functions: head.functions,
    hashes: words(0),
    functionOf: words(1),
    dependencies: { start: words(2), items: words(3) },
    argumentStart: words(4),
    argumentBytes: new Uint8Array(whole.buffer, args.at, args.length),
  };
  return { graph, code: head.code, spilled: new Map(head.spilled) };
}

function parseHead(text: string): Head {
  let head: Head;
  try {
    head = JSON.parse(text) as Head;
  } catch {
    throw corrupt();
  }
  requireFormat(head.format, planFormat, 'a plan');
  return head;
}

function aligned(length: number): number {
  return Math.ceil(length / 8) * 8;
}

function corrupt(): JugqError {
  return new JugqError('VALUE_CORRUPT', 'a stored plan is not readable: plan the jugfile again');
}
