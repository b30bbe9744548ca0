/** What one looks at in the end: a few numbers, and a page with the pictures of each cluster. */
import { featureNames } from './features.ts';
import { clusterSizes, type Clustering } from './kmeans.ts';
import type { Picture } from './pictures.ts';

/** The outcome in short. */
export interface Summary {
  /** Number of clusters with the lowest BIC. */
  readonly k: number;
  readonly seed: number;
  readonly bic: number;
  /** Pictures in each cluster, the largest first. */
  readonly sizes: readonly number[];
  /** For each k that was tried, the lowest BIC of all its random starts. */
  readonly lowestBic: readonly { readonly k: number; readonly bic: number }[];
}

/** Says of the best clustering what a person wants to know first. */
export function summariseClusterings(
  clusterings: readonly Clustering[],
  best: Clustering,
): Summary {
  const lowestBic = new Map<number, number>();
  for (const { k, bic } of clusterings) {
    lowestBic.set(k, Math.min(bic, lowestBic.get(k) ?? Infinity));
  }
  const { k, seed, bic } = best;
  return {
    k,
    seed,
    bic,
    sizes: clusterSizes(best.clusters, k),
    lowestBic: [...lowestBic].map(([k, bic]) => ({ k, bic })),
  };
}

/** What the page shows; pictures and features stand in one order. */
export interface Sheet {
  readonly pictures: readonly Picture[];
  /** Standardised features, n × d. */
  readonly features: readonly (readonly number[])[];
  readonly best: Clustering;
  readonly summary: Summary;
}

/** A page of HTML that needs no other file: the curve of BIC, and each cluster with its most typical pictures first. */
export function drawContactSheet(sheet: Sheet): string {
  const { pictures, best, summary } = sheet;
  const sections = best.centres.map((_, cluster) => drawCluster(sheet, cluster));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${best.k} kinds of pictures</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; background: #f4f4f2 }
h2 { margin: 2rem 0 0; font-size: 1.1rem }
p { margin: 0 0 .5rem; color: #555 }
ul { display: flex; flex-wrap: wrap; gap: .6rem; margin: 0; padding: 0; list-style: none }
li { width: 6rem; font-size: .7rem; line-height: 1.2; text-align: center; overflow-wrap: anywhere }
img { display: block; width: 100%; height: 4rem; object-fit: contain; margin-bottom: .2rem; filter: drop-shadow(0 0 1px #888) }
svg { display: block; margin: 1rem 0; font-size: 11px }
</style>
<h1>${pictures.length} pictures in ${best.k} clusters</h1>
<p>Lowest BIC of ten random starts for each number of clusters; the best is ${best.bic.toFixed(1)}.</p>
${drawCurve(summary)}
${sections.join('\n')}
</html>
`;
}

function drawCluster({ pictures, features, best }: Sheet, cluster: number): string {
  const centre = best.centres[cluster] ?? [];
  const members = pictures
    .map(({ name, png }, index) => ({ name, png, away: distance(features[index] ?? [], centre) }))
    .filter((_, index) => best.clusters[index] === cluster)
    .sort((a, b) => a.away - b.away);
  const items = members.map(({ name, png }) => {
    const source = `data:image/png;base64,${Buffer.from(png).toString('base64')}`;
    return `<li><img src="${source}" alt="">${escapeHtml(name)}</li>`;
  });
  return `<section>
<h2>${cluster + 1}: ${members.length} pictures</h2>
<p>${escapeHtml(traits(centre).join(', '))}</p>
<ul>
${items.join('\n')}
</ul>
</section>`;
}

/** The three features by which a cluster's centre differs most from the average picture, in standard deviations. */
function traits(centre: readonly number[]): string[] {
  return centre
    .map((value, index) => ({ value, name: featureNames[index] ?? '' }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .slice(0, 3)
    .map(({ value, name }) => `${name} ${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(1)} σ`);
}

function drawCurve({ k: bestCount, lowestBic }: Summary): string {
  const [width, height, margin] = [640, 180, 24];
  const counts = lowestBic.map(({ k }) => k);
  const across = scale([Math.min(...counts), Math.max(...counts)], [margin, width - margin]);
  const scores = lowestBic.map(({ bic }) => bic);
  const up = scale([Math.max(...scores), Math.min(...scores)], [margin, height - 2 * margin]);
  const points = lowestBic.map(({ k, bic }) => ({ k, x: across(k), y: up(bic) }));
  const line = points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const marks = points.map(({ k, x, y }) => {
    const [radius, colour] = k === bestCount ? [6, '#c33'] : [3, '#357'];
    return `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius}" fill="${colour}"/><text x="${x.toFixed(1)}" y="${height - margin / 2}" text-anchor="middle">${k}</text>`;
  });
  return `<svg width="${width}" height="${height}" role="img" aria-label="BIC for each number of clusters">
<polyline points="${line}" fill="none" stroke="#357"/>
${marks.join('\n')}
</svg>`;
}

/** The straight line that takes one interval to another. */
function scale(
  [fromStart, fromEnd]: readonly [number, number],
  [toStart, toEnd]: readonly [number, number],
): (value: number) => number {
  const span = fromEnd - fromStart;
  return (value) =>
    span === 0 ? toStart : toStart + ((value - fromStart) / span) * (toEnd - toStart);
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.hypot(...a.map((value, i) => value - (b[i] ?? 0)));
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
