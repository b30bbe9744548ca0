/** What the results of workloads must be. */
import { expectEqual, sortedNumbers } from './workload.ts';

/** @throws Error unless the values are the whole numbers from 1 to `count`, each once, in any order */
export function expectOneTo(count: number, values: readonly unknown[]): void {
  const numbers = sortedNumbers(values);
  expectEqual('how many results there are', numbers.length, count);
  numbers.forEach((number, at) => {
    expectEqual('a result', number, at + 1);
  });
}

/** @throws Error unless the values are those from 1 to `count`, and their sum */
export function expectFanIn(count: number, values: readonly unknown[]): void {
  const numbers = sortedNumbers(values);
  expectEqual('the sum', numbers.at(-1) ?? 0, (count * (count + 1)) / 2);
  expectOneTo(count, numbers.slice(0, -1));
}

/** @throws Error unless the values are those of a binary tree whose leaves are 1 and whose nodes add up two */
export function expectTree(leaves: number, values: readonly unknown[]): void {
  const sums = sortedNumbers(values);
  expectEqual('how many results there are', sums.length, 2 * leaves - 1);
  expectEqual('the root of the tree', sums.at(-1) ?? 0, leaves);
  const total = sums.reduce((sum, each) => sum + each, 0);
  expectEqual('the sum over all levels', total, leaves * (Math.log2(leaves) + 1));
}
