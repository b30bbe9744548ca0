/** CIELAB, a space of colours in which equal distances look about equally far apart. */

/** A picture as planes of `width × height` numbers, row by row. */
export interface LabPicture {
  readonly width: number;
  readonly height: number;
  /** L*, a* and b*: L* from 0 (black) to 100 (white), a* and b* from about -110 to 110. */
  readonly planes: readonly [Float64Array, Float64Array, Float64Array];
}

/** The white of sRGB (CIE illuminant D65), as X, Y, Z. */
const white = [0.95047, 1, 1.08883] as const;

/**
 * A colour in CIELAB.
 *
 * With f(t) = ∛t above (6/29)³ and t / (3·(6/29)²) + 4/29 below:
 * L* = 116·f(Y/Yₙ) − 16, a* = 500·(f(X/Xₙ) − f(Y/Yₙ)), b* = 200·(f(Y/Yₙ) − f(Z/Zₙ)).
 *
 * @param red - sRGB, 0 to 1, as are `green` and `blue`
 * @see CIE 15:2004, Colorimetry, section 8.2.1; IEC 61966-2-1 for the way from sRGB to X, Y, Z
 */
export function toLab(red: number, green: number, blue: number): [number, number, number] {
  const [r, g, b] = [linear(red), linear(green), linear(blue)];
  const x = warp((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / white[0]);
  const y = warp((0.2126729 * r + 0.7151522 * g + 0.072175 * b) / white[1]);
  const z = warp((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / white[2]);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Undoes the gamma of sRGB. */
function linear(channel: number): number {
  return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
}

function warp(t: number): number {
  const delta = 6 / 29;
  return t > delta ** 3 ? Math.cbrt(t) : t / (3 * delta ** 2) + 4 / 29;
}
