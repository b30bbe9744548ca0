/** Which tasks of the layer before each task of `diamond.ts` takes: random, and the same each time. */
export const layers = 20;
export const width = 1000;

/** Three positions in the layer before; the first is its own, so that no two tasks are the same. */
export function picks(depth: number, at: number): readonly number[] {
  const seed = depth * width + at;
  return [at, scatter(seed) % width, scatter(seed + 1_000_003) % width];
}

/** @see xorshift32, G. Marsaglia, "Xorshift RNGs", 2003 */
function scatter(seed: number): number {
  let bits = (seed + 1) * 2_654_435_761;
  bits ^= bits << 13;
  bits ^= bits >>> 17;
  bits ^= bits << 5;
  return bits >>> 0;
}
