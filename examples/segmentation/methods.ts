/** Two ways to find bright things in a picture, and a measure of how well they did. */
import type { Picture } from './scenes.ts';

const levels = 256;

/** One threshold for the whole picture: the one that separates two classes best (Otsu 1979). */
export function byOneThreshold(picture: Picture): Uint8Array {
  const { pixels } = picture;
  let [low, high] = [Infinity, -Infinity];
  for (const pixel of pixels) [low, high] = [Math.min(low, pixel), Math.max(high, pixel)];
  const levelOf = (pixel: number): number =>
    Math.min(levels - 1, Math.floor(((pixel - low) / (high - low || 1)) * levels));
  const histogram = new Float64Array(levels);
  for (const pixel of pixels) {
    const level = levelOf(pixel);
    histogram[level] = (histogram[level] ?? 0) + 1;
  }
  const threshold = bestThreshold(histogram, pixels.length);
  return Uint8Array.from(pixels, (pixel) => (levelOf(pixel) > threshold ? 1 : 0));
}

/** The level with the largest variance between what is up to it and what is above it. */
function bestThreshold(histogram: Float64Array, count: number): number {
  const total = histogram.reduce((sum, each, level) => sum + level * each, 0);
  let [best, largest, below, sumBelow] = [0, -1, 0, 0];
  histogram.forEach((each, level) => {
    below += each;
    sumBelow += level * each;
    const above = count - below;
    if (below === 0 || above === 0) return;
    const apart = sumBelow / below - (total - sumBelow) / above;
    const between = below * above * apart * apart;
    if (between > largest) [best, largest] = [level, between];
  });
  return best;
}

/** Each pixel against the mean of its surroundings (as Bradley and Roth 2007 do, with a table of sums). */
export function byLocalMean(picture: Picture, window: number, margin: number): Uint8Array {
  const mean = boxMeans(picture, window);
  return Uint8Array.from(picture.pixels, (pixel, at) => (pixel > (mean[at] ?? 0) + margin ? 1 : 0));
}

/** Takes noise away: the mean of the pixels up to `radius` away. */
export function smooth(picture: Picture, radius: number): Picture {
  return { width: picture.width, pixels: boxMeans(picture, radius) };
}

/** The mean of the square around each pixel, cut off at the edges. */
function boxMeans({ width, pixels }: Picture, radius: number): Float64Array {
  const height = pixels.length / width;
  const side = width + 1;
  const sums = new Float64Array(side * (height + 1));
  const sumTo = (x: number, y: number): number => sums[y * side + x] ?? 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      sums[(y + 1) * side + x + 1] =
        (pixels[y * width + x] ?? 0) + sumTo(x, y + 1) + sumTo(x + 1, y) - sumTo(x, y);
    }
  }
  return pixels.map((_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    const [left, right] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
    const [top, bottom] = [Math.max(0, y - radius), Math.min(height, y + radius + 1)];
    const sum = sumTo(right, bottom) - sumTo(left, bottom) - sumTo(right, top) + sumTo(left, top);
    return sum / ((right - left) * (bottom - top));
  });
}

/** How far two sets of pixels are the same: what both have, of what either has (Jaccard 1901). */
export function overlap(found: Uint8Array, truth: Uint8Array): number {
  let [both, either] = [0, 0];
  found.forEach((each, at) => {
    const known = truth[at] ?? 0;
    both += each & known;
    either += each | known;
  });
  return either === 0 ? 1 : both / either;
}
