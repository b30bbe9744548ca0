/** Compounds with barriers inside: side by side, nested, and taken by tasks that are declared before their bodies run. */
import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { barrier, compound, task } from 'jugq';

interface Folder {
  readonly files: number;
}

const write = task(function write(folder: string, at: number): number {
  appendFileSync('ran.log', `write ${folder} ${at.toString()}\n`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${at.toString()}`, '');
  return at;
});
const count = task(function count(folders: Folder[]): number {
  return folders.reduce((sum, each) => sum + each.files, 0);
});
const fill = compound(async function fill(folder: string, files: number): Promise<Folder> {
  for (let at = 0; at < files; at++) write(folder, at);
  await barrier();
  return { files: readdirSync(folder).length };
});
const both = compound(async function both(files: number) {
  const first = fill('third', files);
  await barrier();
  const second = write('third', files);
  return { first, second, again: new Map([['first', [first]]]) };
});

const filled = [fill('first', 2), fill('second', 3)];
export const total = count(filled);
export const nested = both(2);
