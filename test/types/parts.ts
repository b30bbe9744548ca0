/** What a jugfile may and may not write of parts, map and reduce, as the compiler sees it. */
import {
  after,
  derive,
  literal,
  map,
  mapReduce,
  noHash,
  pick,
  reduce,
  split,
  starMap,
  task,
  value,
  type Part,
  type PartList,
  type StandIn,
  type Task,
} from 'jugq';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>(): void {
  // Only its type argument says anything.
}

interface Fit {
  mean: number[];
  pair: [string, Date];
  meta?: { name: string };
  table: Map<string, number>;
  raw: Float64Array;
}
const fit = task(function fit(seed: number): Fit {
  return { mean: [seed], pair: ['a', new Date(0)], table: new Map(), raw: new Float64Array(1) };
});
const argmin = task(function argmin(xs: number[]): number {
  return xs[0] ?? 0;
});
const pair = task(function pair(): [number, string] {
  return [1, 'a'];
});
const which = task(function which(): 'mean' | 'pair' {
  return 'mean';
});
const late = task(async function late(x: number): Promise<number> {
  return Promise.resolve(x);
});
const greet = task(function greet(name: string): string {
  return name;
});
const apply = task('apply-it', (f: (x: number) => number, x: number): number => f(x));
const double = task(function double(x: number): number {
  return 2 * x;
});

// pick: each key is one that is there, and gives what stands there.
const one = fit(1);
same<Equal<ReturnType<typeof _mean0>, Part<number>>>();
function _mean0() {
  return pick(one, 'mean', 0);
}
const mean: Part<number[]> = pick(one, 'mean');
const last: Part<number> = pick(mean, -1);
const first: Part<string> = pick(one, 'pair', 0);
const when: Part<Date> = pick(one, 'pair', 1);
const name: Part<string> = pick(one, 'meta', 'name');
const entry: Part<number | undefined> = pick(one, 'table', 'key');
const raw: Part<number> = pick(one, 'raw', 3);
const size: Part<number> = pick(one, 'mean', 'length');
const byTask: Part<number> = pick(one, 'mean', argmin([1, 2]));
const _byKey = pick(one, which());
same<Equal<typeof _byKey, Part<number[] | [string, Date]>>>();
argmin([last, size, raw, byTask, 3]);
greet(first);
greet(name);
export const picked = [mean, when, entry];

// split: of an array, so many; of a tuple, its own.
const [_x, _y] = split(pick(one, 'mean'), 2);
same<Equal<typeof _x, Part<number>>>();
same<Equal<typeof _y, Part<number>>>();
const some90: Part<number> = split(pick(one, 'mean'), 90)[89];
const many: Part<number>[] = split(pick(one, 'mean'), 5000);
const counted: Part<number>[] = split(pick(one, 'mean'), Number('3'));
const wrong: Part<number>[] = split(pick(one, 'mean'), -1);
export const splits = [some90, many, counted, wrong];
const [_left, _right] = split(pair(), 2);
same<Equal<typeof _left, Part<number>>>();
same<Equal<typeof _right, Part<string>>>();

// derive: a plain or a task function of just that.
function lengthOf(xs: readonly number[]): number {
  return xs.length;
}
const _length = derive(mean, lengthOf);
same<Equal<typeof _length, Part<number>>>();
const least = derive(mean, argmin);
same<Equal<typeof least, Part<number>>>();

// noHash, literal, after: stand for their values.
function flag(o: { verbose: boolean; xs: number[] }): number {
  return o.xs.length;
}
const flagged = task(flag);
flagged({ verbose: noHash(true), xs: literal([1, 2]) });
argmin(after([1, last], one, [least, one]));
argmin(after(mean, one));
const wrapped: StandIn<number[]> = noHash([double(1), 2]);

// map and its kin: items or tasks of them, in any iterable of known length.
const doubled = map(double, [1, double(2), last]);
same<Equal<typeof doubled, PartList<number>>>();
const lengths: PartList<number> = map(lengthOf, [[1], mean, doubled], { chunk: 2, retries: 1 });
map(late, new Set([1, 2]));
same<Equal<ReturnType<typeof _lates>, PartList<number>>>();
function _lates() {
  return map(late, doubled);
}
const item: Part<number> = doubled[0] ?? pick(one, 'mean', 0);
const end: Part<number> | undefined = doubled.at(-1);
const some: PartList<number> = doubled.slice(0, 10, 2);
const spread: Part<number>[] = [...doubled];
const mapped: Task<number>[] = doubled.map((each) => double(each));
argmin(doubled);
argmin(spread);
double(item);
export const lists = [lengths, end, some, mapped, wrapped];

function add(a: number, b: number): number {
  return a + b;
}
const total: Part<number> = reduce(add, [1, double(2)], { initial: 0, chunk: 16 });
const squares: Part<number> = mapReduce(add, double, [1, 2, 3], { mapChunk: 2, reduceChunk: 2 });
const addThem = task('add-them', add);
mapReduce(task('add-they', add), late, doubled);
reduce(addThem, doubled);
map(task('twice', lengthOf), [mean]);
derive(mean, task('how-many', lengthOf));
const sums: PartList<number> = starMap(add, [
  [1, 2],
  [double(1), 2],
]);
argmin([total, squares, pick(argminOf(sums), 0)]);
function argminOf(xs: PartList<number>): Task<number[]> {
  return task('echo', (all: number[]) => all)(xs);
}
export async function waits(): Promise<void> {
  const sized: PartList<number> = await map(double, [1, 2], { chunk: 'auto', retries: 1 });
  const pairs: PartList<number> = await starMap(add, [[1, 2]], { chunk: 'auto' });
  argmin([...sized, ...pairs]);
  const values: number[] = await value(doubled);
  const sum: number = await value(total);
  const both: { a: number; b: string } = await value({ a: last, b: first });
  argmin([...values, sum, both.a]);
}

// A task function where a plain function is wanted.
apply(double, 1);
apply((n) => n + 1, 1);

// @ts-expect-error there is no such key
pick(one, 'median');
// @ts-expect-error nor one below it
pick(one, 'mean', 'first');
// @ts-expect-error a tuple has only its own items
pick(pair(), 2);
// @ts-expect-error a key that is a task is of a key's type
pick(one, greet('a'));
// @ts-expect-error a plain value has no parts
pick([1, 2], 0);
// @ts-expect-error a part is not its value
export const shifted: number = last + 1;
// @ts-expect-error a number is no list
argmin(last);
// @ts-expect-error a part has no id of its own
export const id = last.id;
// @ts-expect-error a tuple of two has no third
split(pair(), 3);
// @ts-expect-error nor has a split into two
split(pick(one, 'mean'), 2)[2].valueOf();
// @ts-expect-error only arrays are split
split(one, 2);
// @ts-expect-error it takes a list
derive(last, lengthOf);
// @ts-expect-error that task function, too
derive(first, argmin);
// @ts-expect-error a text is no number
double(noHash('a'));
// @ts-expect-error a literal of texts is none of numbers
argmin(literal(['a']));
// @ts-expect-error nor are texts that wait
argmin(after(['a'], one));
// @ts-expect-error a number cannot be waited for
after(1, 2);
// @ts-expect-error texts are not numbers
map(double, ['a']);
// @ts-expect-error a task has no known length
map(double, mean);
// @ts-expect-error there is no such option
map(double, [1], { size: 3 });
// @ts-expect-error a choice is made while planning waits
argmin(map(double, [1], { chunk: 'auto' }));
// @ts-expect-error there is no such choice
map(double, [1], { chunk: 'large' });
// @ts-expect-error its results are numbers
greet(doubled[0]);
// @ts-expect-error the second is a number
starMap(add, [[1, 'b']]);
// @ts-expect-error what it returns is not what it takes
reduce(shown, [1, 2]);
function shown(a: number, b: number): string {
  return `${a.toString()} ${b.toString()}`;
}
// @ts-expect-error the initial value is one of the items
reduce(add, [1, 2], { initial: 'a' });
// @ts-expect-error the reducer takes numbers
mapReduce(add, greet, ['a']);
// @ts-expect-error the mapper takes numbers
mapReduce(add, double, ['a']);
// @ts-expect-error a function of texts is none of numbers
apply(greet, 1);
// @ts-expect-error it would get a promise
apply(late, 1);
// @ts-expect-error a stand-in is made by jugq alone
export const faked: Part<number> = {};
