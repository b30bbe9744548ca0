/** Files by content, single and by pattern; nothing but content counts. */
import { appendFileSync, readFileSync } from 'node:fs';
import { file, files, task } from 'jugq';

const read = task(function read(path: string): string {
  appendFileSync('ran.log', 'read\n');
  return readFileSync(path, 'utf8');
});
const lengths = task(function lengths(paths: string[]): number[] {
  appendFileSync('ran.log', 'lengths\n');
  return paths.map((path) => readFileSync(path).length);
});

export const one = read(file('data/a.txt'));
export const twin = read(file('data/twin.txt'));
export const all = lengths(files('data/*.txt'));
export const names = files('data/*.txt');
