import { task } from 'jugq';
import { kmeans, type Clustering } from './lib/kmeans.ts';

export const cluster = task(kmeans);
export const report = task(function report(clustering: Clustering): string {
  return clustering.centres.join(' ');
});
