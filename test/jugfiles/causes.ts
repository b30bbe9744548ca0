/** Tasks that fail for two reasons, until the file `mended` is there. */
import { appendFileSync, existsSync } from 'node:fs';
import { task } from 'jugq';

const parse = task(function parse(row: number, text: string): number {
  appendFileSync('ran.log', `parse ${row.toString()}\n`);
  if (existsSync('mended')) return row;
  if (row % 2 === 0) return row;
  console.log('looking at', text);
  throw new RangeError(`row ${row.toString()} of "${text}" is odd`);
});
const fetchPage = task(function fetchPage(page: number): number {
  appendFileSync('ran.log', `fetchPage ${page.toString()}\n`);
  if (!existsSync('mended'))
    throw new TypeError(`no page ${page.toString()} at /tmp/pages/${page.toString()}.html`);
  return page;
});
const sum = task(function sum(xs: number[]): number {
  appendFileSync('ran.log', 'sum\n');
  return xs.reduce((a, b) => a + b, 0);
});

const rows = Array.from({ length: 6 }, (_, row) => parse(row, `table ${row.toString()}`));
export const total = sum([...rows, fetchPage(7), fetchPage(8)]);
