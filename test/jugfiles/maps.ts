/** Many small calls in few tasks. Functions are plain, or those of tasks. */
import { appendFileSync } from 'node:fs';
import { map, mapReduce, reduce, starMap, task } from 'jugq';

function square(x: number): number {
  return x * x;
}
function add(a: number, b: number): number {
  return a + b;
}
const double = task(function double(x: number): number {
  appendFileSync('ran.log', `double ${x.toString()}\n`);
  return 2 * x;
});
const sum2 = task(function sum2(a: number, b: number): number {
  return a + b;
});
const same = task(function same(xs: unknown): unknown {
  return xs;
});

const upTo = (count: number): number[] => Array.from({ length: count }, (_, x) => x);

export default function plan([which = 'all']: readonly string[]): object {
  switch (which) {
    case 'reduce-of-map':
      return { total: mapReduce(add, square, upTo(10_000)) };
    case 'map':
      return { squares: map(square, upTo(10_000)) };
    case 'reduce':
      return { total: reduce(add, upTo(128)) };
    case 'task-functions':
      return { total: mapReduce(sum2, double, upTo(10)) };
    case 'pairs':
      return {
        sums: starMap(
          add,
          upTo(100).map((a) => [a, a] as const),
        ),
      };
    case 'chunks':
      return {
        all: [2, 3, 7, 50, 99, 100, 104].map((chunk) => map(double, upTo(100), { chunk })),
      };
    default:
      return {
        none: map(double, []),
        nothing: mapReduce(add, square, []),
        initial: mapReduce(add, square, [], { initial: 7 }),
        taken: same([map(double, []), mapReduce(add, square, [], { initial: 7 })]),
      };
  }
}
