import { kmeans, type Clustering } from './lib/kmeans.ts';

export async function clusterAll(sets: readonly number[][], k: number): Promise<Clustering[]> {
  return await Promise.all(sets.map((set) => clusterOne(set, k)));
}

async function clusterOne(set: readonly number[], k: number): Promise<Clustering> {
  await Promise.resolve();
  try {
    return kmeans(set, k);
  } catch (cause) {
    throw new ClusteringError('one set is too small', { cause });
  }
}

/** Sets no name of its own, as most subclasses of Error. */
class ClusteringError extends Error {}
