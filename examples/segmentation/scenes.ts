/** Pictures of which the truth is known: bright discs under uneven light, with noise. */

/** A grey picture, row by row, 0 is black and 1 white. */
export interface Picture {
  readonly width: number;
  readonly pixels: Float64Array;
}

/** A picture and what is in it: 1 where a disc is. */
export interface Scene {
  readonly picture: Picture;
  readonly truth: Uint8Array;
}

const discs = 12;

/** Draws the scene of a seed; the same everywhere, for there is nothing in it but the four rules of arithmetic. */
export function drawScene(seed: number, width: number): Scene {
  const random = randomNumbers(seed);
  const truth = new Uint8Array(width * width);
  for (let disc = 0; disc < discs; disc++) {
    const [x, y] = [random() * width, random() * width];
    const radius = width * (0.03 + 0.05 * random());
    for (let at = 0; at < truth.length; at++) {
      const [dx, dy] = [(at % width) - x, Math.floor(at / width) - y];
      if (dx * dx + dy * dy <= radius * radius) truth[at] = 1;
    }
  }
  const slope = 0.3 + 0.5 * random();
  const pixels = Float64Array.from(truth, (inside, at) => {
    const light = 0.1 + slope * ((at % width) / width);
    return light + 0.25 * inside + 0.15 * noise(random);
  });
  return { picture: { width, pixels }, truth };
}

/** Nearly normal, variance 1/3: three uniform numbers. */
function noise(random: () => number): number {
  return ((random() + random() + random()) * 2) / 3 - 1;
}

/** Mulberry32: a generator of 32 bits, seeded. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
