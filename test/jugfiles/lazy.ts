/** Results that a task loads itself, waits for without reading them, or takes twice. */
import { createHash } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { after, derive, lazy, map, pick, task, type Lazy } from 'jugq';

const large = task(function large(x: number): number[] {
  appendFileSync('ran.log', `large ${x.toString()}\n`);
  return [x, 2 * x];
});
const total = task(async function total(handles: Lazy<number[]>[]): Promise<number> {
  appendFileSync('ran.log', 'total\n');
  let sum = 0;
  for (const handle of handles) sum += (await handle.load())[1] ?? 0;
  return sum;
});
const part = task(async function part(handle: Lazy<number>): Promise<number> {
  return handle.load();
});
const both = task(async function both(xs: number[], handle: Lazy<number[]>): Promise<unknown> {
  const own = await handle.load();
  own.push(0);
  return [xs, own, await handle.load()];
});
const blob = task(function blob(bytes: number): Buffer {
  return Buffer.alloc(bytes, 'abcdefg');
});
const digest = task(async function digest(handle: Lazy<Uint8Array>): Promise<unknown> {
  const hash = createHash('sha256');
  let longest = 0;
  for await (const piece of handle.stream()) {
    hash.update(piece);
    longest = Math.max(longest, piece.length);
  }
  return { hash: hash.digest('hex'), longest };
});
const order = task(function order(x: string): string {
  appendFileSync('ran.log', 'order\n');
  return x;
});
function inc(x: number): number {
  return x + 1;
}

const ten = Array.from({ length: 10 }, (_, x) => large(x));
export const sum = total(ten.map((each) => lazy(each)));
export const picked = part(lazy(pick(large(20), 1)));
export const derived = part(lazy(derive(pick(large(20), 1), inc)));
export const mapped = part(lazy(map(inc, [1, 2, 3]).at(-1) ?? pick(large(0), 0)));
export const twice = both(large(3), lazy(large(3)));
export const streamed = digest(lazy(blob(5_000_000)));
export const ordered = order(after('done', ten));
