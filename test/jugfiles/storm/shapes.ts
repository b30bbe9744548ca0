/**
 * The graphs that the fault suite runs, made from a shape, a seed and a size: the jugfile declares them as tasks, the
 * judge computes them in a loop. Everything in here is pure.
 */

/** What a task is like: a moment of work, a wait, a result too large for a message, or a few attempts before it works. */
export type Kind = 'quick' | 'slow' | 'bulky' | 'flaky';
export type Shape = 'flood' | 'chain' | 'tree' | 'fan-in' | 'wild';
export const shapes: readonly Shape[] = ['flood', 'chain', 'tree', 'fan-in', 'wild'];

/** One task; it may take those before it. */
export interface Knot {
  readonly kind: Kind;
  /** How long it waits, ms. */
  readonly ms: number;
  readonly inputs: readonly number[];
}

/** A result: a number, or the number with a lot beside it. */
export type Value = number | { readonly number: number; readonly filler: Uint8Array };

/** The same numbers from 0 to 1 for the same seed, on every machine. */
export function startRandom(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** The tasks of a graph, in an order in which each comes after those that it takes. */
export function knotsOf(shape: Shape, seed: number, count: number): Knot[] {
  const random = startRandom(seed);
  return Array.from({ length: count }, (_, at) => {
    const kind = kindOf(random());
    const ms = kind === 'slow' ? Math.floor(50 + 1500 * random() ** 4) : 0;
    return { kind, ms, inputs: inputsOf(shape, at, count, random) };
  });
}

function kindOf(chance: number): Kind {
  if (chance < 0.004) return 'bulky';
  if (chance < 0.012) return 'flaky';
  return chance < 0.4 ? 'slow' : 'quick';
}

function inputsOf(shape: Shape, at: number, count: number, random: () => number): number[] {
  switch (shape) {
    case 'flood':
      return [];
    case 'chain':
      // Some chains side by side, so that a long run is not one task at a time.
      return at < chains ? [] : [at - chains];
    case 'tree':
      return at === 0 ? [] : [Math.floor((at - 1) / 2)];
    case 'fan-in':
      // Layers that shrink to a tenth.
      return fanIn(at, count);
    case 'wild': {
      if (at < 20 || random() < 0.05) return [];
      const inputs = Array.from({ length: 1 + Math.floor(4 * random()) }, () =>
        random() < 0.5 ? at - 1 - Math.floor(20 * random()) : Math.floor(at * random()),
      );
      return [...new Set(inputs)];
    }
  }
}

const chains = 16;

function fanIn(at: number, count: number): number[] {
  let first = 0;
  let size = Math.floor(count * 0.9);
  for (let next = size; next < count;) {
    const width = Math.max(1, Math.floor((count - next) * 0.9));
    if (at < next) break;
    if (at < next + width) {
      const each = Math.ceil(size / width);
      const from = first + (at - next) * each;
      return Array.from({ length: Math.max(0, Math.min(each, next - from)) }, (_, n) => from + n);
    }
    first = next;
    size = width;
    next += width;
  }
  return [];
}

/** What the task at this place gives. */
export function valueOf(kind: Kind, at: number, inputs: readonly Value[]): Value {
  let mixed = (at + 0x9e3779b9) >>> 0;
  for (const input of inputs) {
    const number = typeof input === 'number' ? input : input.number + input.filler.length;
    mixed = (Math.imul(mixed, 31) + number) >>> 0;
  }
  if (kind !== 'bulky') return mixed;
  return { number: mixed, filler: new Uint8Array(1_200_000).fill(mixed & 255) };
}

/** What all tasks give, one after the other. */
export function valuesOf(knots: readonly Knot[]): Value[] {
  const values: Value[] = [];
  knots.forEach(({ kind, inputs }, at) => {
    values.push(
      valueOf(
        kind,
        at,
        inputs.map((each) => values[each] ?? 0),
      ),
    );
  });
  return values;
}
