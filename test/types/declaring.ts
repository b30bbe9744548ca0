/** What a jugfile may and may not write, as the compiler sees it. */
import { hashKey, task, type Arg, type Task, type TaskFunction, type Value } from 'jugq';

interface Clustering {
  k: number;
  assign: number[];
  meta?: { name: string };
}
type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>(): void {
  // Only its type argument says anything.
}

const computeFeatures = task(async function computeFeatures(
  _image: string,
  parameter: number,
): Promise<number[]> {
  return Promise.resolve([parameter]);
});
const kmeans = task(
  function kmeans(_features: number[][], k: number, _seed = 1): Clustering {
    return { k, assign: [] };
  },
  { retries: 2, timeout: '10m', queue: 'gpu', version: 3 },
);
const argmin = task(function argmin(xs: number[]): number {
  return xs.indexOf(Math.min(...xs));
});
const options = task(function options(o: { xs: number[]; label?: string; when: Date }): string {
  return o.xs.join();
});
const first = task(function first<T>(xs: T[]): T | undefined {
  return xs[0];
});
const bytes = task(function bytes(b: Uint8Array): number {
  return b.length;
});
const lookUp = task(function lookUp(m: Map<string, number>, s: ReadonlySet<string>): number {
  return m.size + s.size;
});
const apply = task('apply-it', (f: (x: number) => number, x: number): number => f(x));
const nothing = task(function nothing(): void {
  // Its result is undefined.
});

// A call gives a task of what the function returns, awaited.
const features = ['a', 'b'].map((image) => computeFeatures(image, 2));
same<Equal<typeof features, Task<number[]>[]>>();
const clusters = kmeans(features, 3);
same<Equal<typeof clusters, Task<Clustering>>>();
nothing();
same<Equal<ReturnType<typeof nothing>, Task<void>>>();
same<Equal<typeof argmin, TaskFunction<[xs: number[]], number>>>();

// Tasks stand for their values, anywhere in an argument.
const k: Task<number> = argmin([1, argmin([2])]);
kmeans(features, k, 4);
kmeans([[1, k], computeFeatures('a', k)], k);
options({ xs: [1, k], when: new Date() });
options({
  xs: computeFeatures('a', 1),
  label: options({ xs: [], when: new Date() }),
  when: new Date(),
});
bytes(new Uint8Array(3));
lookUp(new Map([['a', k]]), new Set(['b']));
apply((x) => x + 1, k);
first([1, 2]);
const arg: Arg<number[]> = [k, 2];
argmin(arg);

// The value of a structure is the structure of the values.
same<Equal<Value<typeof k>, number>>();
same<
  Equal<Value<{ a: Task<number>; b: readonly Task<number[]>[] }>, { a: number; b: number[][] }>
>();
same<Equal<Value<Map<string, Task<Date>>>, Map<string, Date>>>();
same<Equal<Value<[Task<number>, string]>, [number, string]>>();

export class Point {
  readonly x = 1;
  [hashKey](): unknown {
    return this.x;
  }
}

// @ts-expect-error a task is no number
export const divided = argmin([1, 2]) / 10;
// @ts-expect-error nor can it be compared
export const compared = argmin([1, 2]) > 10;
// @ts-expect-error nor iterated
export const iterated = [...computeFeatures('a', 1)];
// @ts-expect-error nor asked for what its value has
export const assigned: unknown = clusters.assign;
// @ts-expect-error a clustering is no list of features
kmeans(clusters, 3);
// @ts-expect-error a text is no number
argmin(['x']);
// @ts-expect-error nor is a task of one
argmin([options({ xs: [], when: new Date() })]);
// @ts-expect-error a property is missing
options({ xs: [1] });
// @ts-expect-error an argument is missing
computeFeatures('a');
// @ts-expect-error there is one too many
computeFeatures('a', 1, 2);
// @ts-expect-error a task is not the value that plain code wants
export const plain: number[] = computeFeatures('a', 1);
// @ts-expect-error there is no such option
task(function f(): void {}, { retry: 2 });
// @ts-expect-error retries are a number
task(function f(): void {}, { retries: '2' });
// @ts-expect-error a task function is made of a function
task('name only');
// @ts-expect-error a task is made by a task function alone
export const faked: Task<number> = { id: 'argmin.abc' };
