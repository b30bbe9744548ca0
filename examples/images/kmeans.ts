/** K-means, and a score that says how many clusters the points deserve. */

/** Points in k groups. */
export interface Clustering {
  readonly k: number;
  readonly seed: number;
  /** For each point the number of its cluster, 0 to k − 1; clusters are numbered from the largest to the smallest. */
  readonly clusters: readonly number[];
  /** k × d. */
  readonly centres: readonly (readonly number[])[];
  /** Sum over points of the squared distance to the centre of their cluster. */
  readonly squaredError: number;
  /** Rounds until no point changed its cluster. */
  readonly rounds: number;
  /** Bayesian information criterion, see `scoreClustering`; the lowest is best. */
  readonly bic: number;
}

type Point = readonly number[];

/**
 * Lloyd's algorithm from a start chosen by k-means++; the same seed gives the same clusters everywhere.
 *
 * @param points - n × d, with n > k
 * @param k - number of clusters, at least 1
 * @param seed - 32-bit integer
 * @throws RangeError if there are not more points than clusters
 * @see Lloyd, Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 1982
 */
export function clusterPoints(points: readonly Point[], k: number, seed: number): Clustering {
  if (k < 1 || points.length <= k) {
    throw new RangeError(`expected 1 to ${points.length - 1} clusters, got ${k}`);
  }
  let centres = chooseCentres(points, k, randomNumbers(seed));
  let clusters = points.map((point) => nearest(point, centres).index);
  for (let rounds = 1; ; rounds++) {
    centres = centres.map((centre, index) => meanOf(points, clusters, index) ?? centre);
    const moved = points.map((point) => nearest(point, centres).index);
    const settled = moved.every((index, point) => index === clusters[point]);
    clusters = moved;
    if (!settled) continue;
    const sorted = largestFirst(clusters, centres);
    const squaredError = points.reduce((sum, point) => sum + nearest(point, centres).distance, 0);
    const sizes = clusterSizes(sorted.clusters, k);
    const bic = scoreClustering({ sizes, squaredError, dimensions: points[0]?.length ?? 0 });
    return { k, seed, ...sorted, squaredError, rounds, bic };
  }
}

/**
 * Bayesian information criterion of a clustering, if each cluster is a spherical Gaussian and all share one variance:
 *
 * BIC = −2·l + p·ln R, for R points in d dimensions and K clusters of R₁ … R_K points, where
 * - σ² = squared error / (d·(R − K)),
 * - l = Σ Rₙ·ln(Rₙ/R) − (R·d/2)·ln(2πσ²) − d·(R − K)/2, the log-likelihood,
 * - p = (K − 1) + d·K + 1: the weights, the centres and the variance.
 *
 * The lowest is best. As in X-means, but with Schwarz's sign and factor, and with d in the variance, which the paper leaves out.
 *
 * @see Pelleg and Moore, X-means: extending K-means with efficient estimation of the number of clusters, ICML 2000
 */
export function scoreClustering(of: {
  readonly sizes: readonly number[];
  readonly squaredError: number;
  readonly dimensions: number;
}): number {
  const { sizes, squaredError, dimensions } = of;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const degrees = dimensions * (total - sizes.length);
  const variance = squaredError / degrees;
  const mixing = sizes.reduce((sum, n) => sum + (n === 0 ? 0 : n * Math.log(n / total)), 0);
  const spread = ((total * dimensions) / 2) * Math.log(2 * Math.PI * variance);
  const likelihood = mixing - spread - degrees / 2;
  const parameters = sizes.length - 1 + dimensions * sizes.length + 1;
  return -2 * likelihood + parameters * Math.log(total);
}

/** How many points each cluster has. */
export function clusterSizes(clusters: readonly number[], k: number): number[] {
  const sizes = new Array<number>(k).fill(0);
  for (const index of clusters) sizes[index] = (sizes[index] ?? 0) + 1;
  return sizes;
}

/**
 * Starting centres by k-means++: the first is any point, each next a point drawn with a chance proportional to its squared
 * distance to the nearest centre so far.
 *
 * @see Arthur and Vassilvitskii, k-means++: the advantages of careful seeding, SODA 2007
 */
function chooseCentres(points: readonly Point[], k: number, random: () => number): Point[] {
  const centres = [points[Math.floor(random() * points.length)] ?? []];
  while (centres.length < k) {
    const weights = points.map((point) => nearest(point, centres).distance);
    let rest = random() * weights.reduce((sum, weight) => sum + weight, 0);
    const chosen = weights.findIndex((weight) => (rest -= weight) < 0);
    centres.push(points.at(chosen) ?? []);
  }
  return centres;
}

/**
 * Numbers from 0 up to, not including, 1, by the generator mulberry32.
 *
 * @see Tommy Ettinger, mulberry32.c, 2017 (public domain)
 */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function nearest(
  point: Point,
  centres: readonly Point[],
): { readonly index: number; readonly distance: number } {
  let [index, distance] = [0, Infinity];
  centres.forEach((centre, each) => {
    let squared = 0;
    for (let i = 0; i < point.length; i++) squared += ((point[i] ?? 0) - (centre[i] ?? 0)) ** 2;
    if (squared < distance) [index, distance] = [each, squared];
  });
  return { index, distance };
}

/** Mean of the points of one cluster; undefined if it has none. */
function meanOf(
  points: readonly Point[],
  clusters: readonly number[],
  index: number,
): number[] | undefined {
  const members = points.filter((_, point) => clusters[point] === index);
  return members[0]?.map(
    (_, i) => members.reduce((sum, member) => sum + (member[i] ?? 0), 0) / members.length,
  );
}

/** Renumbers the clusters by size, so that their numbers do not depend on the order in which they were found. */
function largestFirst(
  clusters: readonly number[],
  centres: readonly Point[],
): Pick<Clustering, 'clusters' | 'centres'> {
  const sizes = clusterSizes(clusters, centres.length);
  const order = sizes.map((_, index) => index);
  order.sort((a, b) => (sizes[b] ?? 0) - (sizes[a] ?? 0));
  return {
    clusters: clusters.map((index) => order.indexOf(index)),
    centres: order.map((index) => centres[index] ?? []),
  };
}
