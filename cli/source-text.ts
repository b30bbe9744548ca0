/** The bytes of a jugfile and its modules: they have to be the text that their author sees. */
import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { JugqError } from '../core/errors.ts';
import { showPath, type MessagePaths } from './bundle-errors.ts';

/**
 * Refuses sources that are no UTF-8: esbuild would replace what it cannot read, and so change the texts in them.
 *
 * @param sources - relative to the jugfile's directory; packages and what is no file are not looked at
 * @throws JugqError `JUGFILE_SYNTAX`
 */
export function refuseOtherEncodings(sources: readonly string[], paths: MessagePaths): void {
  for (const source of sources) {
    if (/(?:^|\/)node_modules\//.test(source) || /^[\w-]{2,}:/.test(source)) continue;
    if (!/\.(?:[cm]?[jt]sx?|json|txt|md|csv|tsv|ya?ml|html|svg|sql|py|sh)$/.test(source)) continue;
    const file = resolve(paths.directory, source);
    const bytes = readFileSync(file);
    if (isUtf8(bytes)) continue;
    const message = `the source is not in UTF-8: ${showPath(file, paths)}:${lineOf(bytes).toString()}: save it with that encoding`;
    throw new JugqError('JUGFILE_SYNTAX', message);
  }
}

/** The first line that cannot be read, from 1 on. */
function lineOf(bytes: Buffer): number {
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(10, from);
    const to = end === -1 ? bytes.length : end;
    if (!isUtf8(bytes.subarray(from, to))) break;
    from = to + 1;
  }
  return line;
}
