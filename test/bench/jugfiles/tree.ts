/** A binary tree of 8,191 tasks: 4,096 leaves, added up in pairs. */
import { task, type Task } from 'jugq';

const leaf = task(function leaf(_number: number): number {
  return 1;
});
const add = task(function add(a: number, b: number): number {
  return a + b;
});

let level: Task<number>[] = Array.from({ length: 4096 }, (_, number) => leaf(number));
while (level.length > 1) {
  const pairs = level.filter((_, at) => at % 2 === 0);
  const below = level;
  level = pairs.map((left, pair) => add(left, below[2 * pair + 1] ?? left));
}
