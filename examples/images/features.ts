/** What a picture looks like, in 15 numbers: moments of its colours and of its texture. */
import type { LabPicture } from './colour.ts';

/** What the numbers mean, in their order. */
export const featureNames: readonly string[] = [
  ...['L*', 'a*', 'b*', 'edge strength'].flatMap((of) =>
    ['mean', 'spread', 'skew'].map((moment) => `${moment} of ${of}`),
  ),
  'vertical against horizontal edges',
  'rising against falling edges',
  'local contrast',
];

const blockSide = 8;

/**
 * Colour and texture of a picture: the moments of L*, a*, b* and of the strength of edges, then which way the edges run,
 * then the local contrast.
 *
 * @returns 15 numbers, as `featureNames` says
 */
export function describePicture(picture: LabPicture): number[] {
  const edges = findEdges(picture);
  return [
    ...picture.planes.flatMap(moments),
    ...moments(edges.strengths),
    ...edges.direction,
    localContrast(picture),
  ];
}

/**
 * The first three moments of a distribution, all in the unit of its values: mean μ = Σx/n, spread σ = √(Σ(x − μ)²/n),
 * skew s = ∛(Σ(x − μ)³/n).
 *
 * @see Stricker and Orengo, Similarity of color images, SPIE 2420, 1995
 */
export function moments(values: Float64Array): [mean: number, spread: number, skew: number] {
  const mean = average(values, (value) => value);
  return [
    mean,
    Math.sqrt(average(values, (value) => (value - mean) ** 2)),
    Math.cbrt(average(values, (value) => (value - mean) ** 3)),
  ];
}

/** Edges of the lightness, and the direction that they prefer. */
export interface Edges {
  /** √(gx² + gy²) at each pixel that is not on the border. */
  readonly strengths: Float64Array;
  /** Each from -1 to 1; zero where no direction is preferred. */
  readonly direction: readonly [verticalAgainstHorizontal: number, risingAgainstFalling: number];
}

/**
 * Gradients (gx, gy) of L* by Sobel's operator, and their preferred direction: the cosine and sine of double the angle,
 * weighted by strength squared, (Σ(gx² − gy²), Σ2·gx·gy) / Σ(gx² + gy²).
 *
 * @see Bigün and Granlund, Optimal orientation detection of linear symmetry, ICCV 1987
 */
export function findEdges({ width, height, planes: [lightness] }: LabPicture): Edges {
  const strengths = new Float64Array(Math.max(0, (width - 2) * (height - 2)));
  let [cosine, sine, total, count] = [0, 0, 0, 0];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const centre = y * width + x;
      const gx =
        (weighDown(lightness, centre + 1, width) - weighDown(lightness, centre - 1, width)) / 8;
      const gy =
        (weighAcross(lightness, centre + width) - weighAcross(lightness, centre - width)) / 8;
      strengths[count++] = Math.hypot(gx, gy);
      cosine += gx ** 2 - gy ** 2;
      sine += 2 * gx * gy;
      total += gx ** 2 + gy ** 2;
    }
  }
  return { strengths, direction: total === 0 ? [0, 0] : [cosine / total, sine / total] };
}

/** A pixel counted twice with the one above and the one below it. */
function weighDown(plane: Float64Array, at: number, width: number): number {
  return (plane[at - width] ?? 0) + 2 * (plane[at] ?? 0) + (plane[at + width] ?? 0);
}

/** A pixel counted twice with the one to the left and the one to the right of it. */
function weighAcross(plane: Float64Array, at: number): number {
  return (plane[at - 1] ?? 0) + 2 * (plane[at] ?? 0) + (plane[at + 1] ?? 0);
}

/** Mean over blocks of 8 × 8 pixels of the spread of L* within the block; blocks that the border cuts are left out. */
export function localContrast({ width, height, planes: [lightness] }: LabPicture): number {
  const spreads: number[] = [];
  for (let top = 0; top + blockSide <= height; top += blockSide) {
    for (let left = 0; left + blockSide <= width; left += blockSide) {
      const block = Float64Array.from(
        { length: blockSide ** 2 },
        (_, i) =>
          lightness[(top + Math.floor(i / blockSide)) * width + left + (i % blockSide)] ?? 0,
      );
      spreads.push(moments(block)[1]);
    }
  }
  return average(Float64Array.from(spreads), (spread) => spread);
}

/**
 * Gives each column mean 0 and variance 1, so that no feature counts for more because of its unit. A column that does not
 * vary becomes 0.
 *
 * @param rows - n × d
 * @returns n × d
 */
export function standardiseColumns(rows: readonly (readonly number[])[]): number[][] {
  const columns = (rows[0] ?? []).map((_, column) =>
    moments(Float64Array.from(rows, (row) => row[column] ?? 0)),
  );
  return rows.map((row) =>
    row.map((value, column) => {
      const [mean, spread] = columns[column] ?? [0, 0];
      return spread === 0 ? 0 : (value - mean) / spread;
    }),
  );
}

/** Mean of what `of` makes of the values; 0 of none. */
function average(values: Float64Array, of: (value: number) => number): number {
  let sum = 0;
  for (const value of values) sum += of(value);
  return values.length === 0 ? 0 : sum / values.length;
}
