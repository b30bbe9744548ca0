/**
 * The values of a task's inputs, so that no two places in its arguments share an object: what a task changes in one
 * argument changes no other.
 *
 * Parts of one input that do not overlap come from one decoding, for a list may be of thousands of them.
 */
import { decodeValue } from '../core/codec.ts';
import {
  resolveReference,
  type References,
  type StepReference,
  type ValueReference,
} from '../core/references.ts';
import { decodedOnce } from './read-back.ts';

/** What of one input has been given away: paths, and everything above them. */
interface Given {
  readonly paths: Set<string>;
  readonly above: Set<string>;
}

export class OwnCopies {
  readonly #inputs: readonly Uint8Array[];
  /** Where parts are looked up that are only looked at. */
  readonly from: References;
  readonly #given = new Map<number, Given>();

  /** @param inputs - CBOR, by place */
  constructor(inputs: readonly Uint8Array[], functionNamed: References['functionNamed']) {
    this.#inputs = inputs;
    this.from = { input: decodedOnce(inputs), functionNamed };
  }

  /** The value that a reference stands for. */
  resolve(reference: ValueReference): unknown {
    const { from } = this;
    if (typeof reference === 'string') return from.functionNamed(reference);
    const [place, steps] =
      typeof reference === 'number' ? [reference, []] : [reference.of, reference.steps];
    const isDerived = steps.some((step) => typeof step === 'object' && 'call' in step);
    if (!isDerived) {
      const value = resolveReference(reference, from);
      if (typeof value !== 'object' || value === null || this.#give(place, steps)) return value;
    } else if (this.#give(place, steps)) {
      return resolveReference(reference, from);
    }
    const copy = decodeValue(this.#inputs[place] ?? new Uint8Array());
    const input = (at: number): unknown => (at === place ? copy : from.input(at));
    return resolveReference(reference, { ...from, input });
  }

  /** Gives a part away, unless it overlaps with what was given before. */
  #give(place: number, steps: readonly StepReference[]): boolean {
    const known = this.#given.get(place);
    const { paths, above } = known ?? { paths: new Set<string>(), above: new Set<string>() };
    if (known === undefined) this.#given.set(place, { paths, above });
    let path = '';
    const passed: string[] = [];
    for (const step of steps) {
      if (paths.has(path)) return false;
      const key = keyOf(step);
      // Of what is picked by a result or made by a function, nobody knows how much of the whole it is.
      if (key === undefined) break;
      passed.push(path);
      path += key;
    }
    if (paths.has(path) || above.has(path)) return false;
    paths.add(path);
    for (const each of passed) above.add(each);
    return true;
  }
}

function keyOf(step: StepReference): string | undefined {
  if (typeof step !== 'object') return `/${JSON.stringify(step)}`;
  return 'item' in step ? `/${step.item.toString()}` : undefined;
}
