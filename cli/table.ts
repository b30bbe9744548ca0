/** Tables for people: aligned columns, no frames, numbers to the right. */
import Table from 'cli-table3';

const plain = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/**
 * Rows under a head, as lines without a final new line.
 *
 * @param rows - text or numbers; columns of numbers, or of amounts such as `1.2 kB`, are aligned to the right
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const table = new Table({
    head: [...head],
    chars: plain,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
    colAligns: head.map((_, column) =>
      rows.every((row) => amount.test(String(row[column]))) ? 'right' : 'left',
    ),
  });
  for (const row of rows) table.push(row.map(String));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Nothing at all is an amount, too, among others. */
const amount = /^(?:\d[\d.]*(?: \S+)?(?: \d+s| \d+m)?)?$/;
