/** A random graph of 20,000 tasks in layers, each of which takes three of the layer before. */
import { task, type Task } from 'jugq';
import { layers, picks, width } from './diamond-picks.ts';

const start = task(function start(number: number): number {
  return number;
});
const join = task(function join(a: number, b: number, c: number): number {
  return (a + b + c) % 1000;
});

let layer: Task<number>[] = Array.from({ length: width }, (_, number) => start(number));
for (let depth = 1; depth < layers; depth++) {
  const before = layer;
  layer = before.map((_, at) => {
    const [a, b, c] = picks(depth, at).map((pick) => before[pick] ?? start(0));
    // Tasks of the same arguments would be one task.
    return join(a ?? start(0), b ?? start(0), c ?? start(0));
  });
}
