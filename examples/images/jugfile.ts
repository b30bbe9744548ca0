/**
 * Which flags of the world look alike? Describes each flag by moments of its colours and its texture, groups them by
 * k-means for every k from 2 to 20, ten random starts each, and keeps the grouping with the lowest BIC.
 */
import { task } from 'jugq';
import { describePicture, standardiseColumns } from './features.ts';
import { clusterPoints, type Clustering } from './kmeans.ts';
import { decodePng, readPictures, type Picture } from './pictures.ts';
import { drawContactSheet, summariseClusterings, type Summary } from './sheet.ts';

const computeFeatures = task(function computeFeatures(png: Uint8Array): number[] {
  return describePicture(decodePng(png));
});

const standardise = task(function standardise(features: number[][]): number[][] {
  return standardiseColumns(features);
});

const kmeans = task(function kmeans(features: number[][], k: number, seed: number): Clustering {
  return clusterPoints(features, k, seed);
});

const pickBest = task(function pickBest(clusterings: Clustering[]): Clustering {
  return clusterings.reduce((best, each) => (each.bic < best.bic ? each : best));
});

const summarise = task(function summarise(clusterings: Clustering[], best: Clustering): Summary {
  return summariseClusterings(clusterings, best);
});

const drawSheet = task(function drawSheet(
  pictures: Picture[],
  features: number[][],
  best: Clustering,
  summary: Summary,
): string {
  return drawContactSheet({ pictures, features, best, summary });
});

/** The plan: called where the flags lie; workers only ever see the bytes that are passed on. */
export default function plan() {
  const pictures = readPictures();
  const features = standardise(pictures.map(({ png }) => computeFeatures(png)));
  const clusterings = range(2, 20).flatMap((k) =>
    range(1, 10).map((seed) => kmeans(features, k, seed)),
  );
  const best = pickBest(clusterings);
  const summary = summarise(clusterings, best);
  const sheet = drawSheet(pictures, features, best, summary);
  return { best, summary, sheet };
}

/** All whole numbers from `first` to `last`. */
function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
