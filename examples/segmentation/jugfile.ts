/**
 * Which of two methods finds bright things better? Both are tried on pictures of which the truth is known, with several
 * settings each, and compared with the truth.
 */
import { pick, task, type Part } from 'jugq';
import { byLocalMean, byOneThreshold, overlap, smooth } from './methods.ts';
import { drawScene, type Picture, type Scene } from './scenes.ts';

const scene = task(function scene(seed: number, width: number): Scene {
  return drawScene(seed, width);
});

const threshold = task(function threshold(picture: Picture, radius: number): Uint8Array {
  return byOneThreshold(smooth(picture, radius));
});

const localMean = task(function localMean(
  picture: Picture,
  radius: number,
  window: number,
): Uint8Array {
  return byLocalMean(smooth(picture, radius), window, 0.08);
});

const compare = task(function compare(found: Uint8Array, truth: Uint8Array): number {
  return overlap(found, truth);
});

interface Row {
  readonly method: string;
  /** Mean of the overlaps with the truth, 1 is perfect. */
  readonly score: number;
}

const summarise = task(function summarise(methods: string[], scores: number[][]): Row[] {
  const rows = methods.map((method, at) => {
    const own = scores[at] ?? [];
    return { method, score: own.reduce((sum, each) => sum + each, 0) / own.length };
  });
  return rows.toSorted((a, b) => b.score - a.score);
});

const methods: Readonly<Record<string, (picture: Part<Picture>) => Part<Uint8Array>>> = {
  'threshold, as it is': (picture) => threshold(picture, 0),
  'threshold, smoothed': (picture) => threshold(picture, 2),
  'local mean, as it is': (picture) => localMean(picture, 0, 24),
  'local mean, smoothed': (picture) => localMean(picture, 2, 24),
  'local mean, smoothed, near': (picture) => localMean(picture, 2, 8),
};

/** The plan; its argument says how many pictures there are. */
export default function plan([count = '40']: readonly string[]) {
  const scenes = Array.from({ length: Number(count) }, (_, seed) => scene(seed, 128));
  const scores = Object.values(methods).map((find) =>
    scenes.map((each) => compare(find(pick(each, 'picture')), pick(each, 'truth'))),
  );
  return { comparison: summarise(Object.keys(methods), scores), scores };
}
