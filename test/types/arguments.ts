/** What a jugfile may and may not write of files, lazy results and programs, as the compiler sees it. */
import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import {
  file,
  files,
  lazy,
  map,
  pick,
  shell,
  task,
  type Lazy,
  type Part,
  type ShellResult,
  type StandIn,
  type Task,
} from 'jugq';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<_T extends true>(): void {
  // Only its type argument says anything.
}

const read = task(function read(path: string): string {
  return path;
});
const count = task(function count(paths: readonly string[]): number {
  return paths.length;
});
const sum = task(async function sum(xs: Lazy<number>[]): Promise<number> {
  let all = 0;
  for (const x of xs) all += await x.load();
  return all;
});
const square = task(function square(x: number): number {
  return x * x;
});
const bytes = task(function bytes(x: Uint8Array): string {
  return x.length.toString();
});

// A file stands for a path.
read(file('a.txt'));
count(files('*.txt'));
const paths: StandIn<string>[] = files('*.txt');
map(read, paths);

// A lazy result, for a handle of its type.
sum([
  lazy(square(1)),
  lazy(pick(shell('date'), 'stdout', 'length')),
  lazy(map(square, [1])[0] ?? square(1)),
]);
const handle: StandIn<Lazy<number>> = lazy(square(2));
sum([handle]);
// What a handle of a text or of bytes can be read in.
export async function readInPieces(
  text: Lazy<string>,
  bytes: Lazy<Buffer | Float64Array>,
  numbers: Lazy<number[]>,
): Promise<void> {
  const pieces: AsyncIterable<Uint8Array> = text.stream();
  for await (const _piece of bytes.stream()) same<Equal<typeof _piece, Uint8Array>>();
  await pipeline(pieces, createWriteStream('text'));
  // @ts-expect-error nothing else has a content in bytes
  numbers.stream();
}

// A program, for its streams and the files that it is to leave.
const sorted = shell('sort', ['-n', square(2), 3, file('a.txt'), read('b')], {
  inputs: { 'in.txt': read('a.txt'), 'more.txt': file('a.txt'), 'bytes.bin': new Uint8Array(1) },
  outputs: ['out.txt', 'log.txt'],
  env: { LC_ALL: read('c') },
  stdin: new Uint8Array(1),
  cwd: '/tmp',
  retries: 2,
  name: 'by-size',
});
same<Equal<typeof sorted, Task<ShellResult<'out.txt' | 'log.txt'>>>>();
const out: Part<Uint8Array> = pick(sorted, 'outputs', 'out.txt');
bytes(out);
read(pick(shell('date'), 'stdout'));

// @ts-expect-error a path is a text
file(3);
// @ts-expect-error it stands for a path, not for the content
bytes(file('a.txt'));
// @ts-expect-error a pattern is a text
files(['*.txt']);
// @ts-expect-error several paths are not one
read(files('*.txt'));
// @ts-expect-error a plain value is there already
lazy(3);
// @ts-expect-error the task wants the value
square(lazy(square(1)));
// @ts-expect-error the task wants the handle
sum([square(1)]);
// @ts-expect-error of a number
sum([lazy(read('a'))]);
// @ts-expect-error arguments are a list
shell('sort', '-n');
// @ts-expect-error of texts and numbers
shell('sort', [true]);
// @ts-expect-error there is no such output
pick(sorted, 'outputs', 'in.txt');
// @ts-expect-error none was asked for
pick(shell('date'), 'outputs', 'out.txt');
// @ts-expect-error there is no such option
shell('sort', [], { shell: true });
// @ts-expect-error a number is no environment variable
shell('sort', [], { env: { N: 1 } });
