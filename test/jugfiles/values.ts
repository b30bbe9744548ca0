/** Values of every kind on their way through tasks. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { task } from 'jugq';

function ran(name: string): void {
  appendFileSync('ran.log', `${name}\n`);
}

const identity = task(function identity(x: unknown): unknown {
  ran('identity');
  return x;
});
const nothing = task(function nothing(which: 'null' | 'undefined'): null | undefined {
  ran(`nothing ${which}`);
  return which === 'null' ? null : undefined;
});
const describe = task(function describe(x: unknown): string {
  ran('describe');
  return x === null ? 'null' : typeof x;
});
const createResult = task(function createResult(x: number, path: string): void {
  ran('createResult');
  writeFileSync(path, `Result is ${x.toString()}`);
});
const double = task(function double(x: number): number {
  ran('double');
  return 2 * x;
});
const many = task(function many(): unknown {
  ran('many');
  return {
    map: new Map([['a', 1n]]),
    set: new Set([1, 2]),
    date: new Date(0),
    floats: new Float32Array([0.5, 1.5]),
    bytes: new Uint8Array([1, 2, 3]),
    nan: NaN,
    minusZero: -0,
    absent: undefined,
    ['__proto__']: 'a key',
  };
});

const [t0, t1, t2] = [double(0), double(1), double(2)];
export const nested = identity({ one: t0, two: t1, three: { 1: t2, 0: t1 } });
export const nulled = describe(nothing('null'));
export const undefinedd = describe(nothing('undefined'));
export const effect = createResult(double(double(double(2))), 'test-result.txt');
export const again = [double(1), double(1), double(1)];
export const everything = many();
