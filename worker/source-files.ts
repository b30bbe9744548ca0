/** Files as whoever plans sees them: what counts of each is its content. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, statSync, type BigIntStats } from 'node:fs';
import { resolve } from 'node:path';
import { globSync } from 'tinyglobby';
import { JugqError } from '../core/errors.ts';
import type { FileFacts } from '../core/files.ts';

/** What is read at a time. */
const pieceBytes = 1024 * 1024;

/** Knows files that have not changed since it read them. */
export class SourceFiles {
  readonly #known = new Map<string, { readonly version: string; readonly facts: FileFacts }>();

  /**
   * What a file is now.
   *
   * @param place - where in the jugfile it is named, for messages
   * @throws JugqError `FILE_NOT_FOUND`
   */
  read(path: string, place: string): FileFacts {
    const absolute = resolve(path);
    try {
      const version = versionOf(statSync(absolute, { bigint: true }));
      const known = this.#known.get(absolute);
      if (known?.version === version) return known.facts;
      const facts = { path: absolute, ...digestOf(absolute) };
      this.#known.set(absolute, { version, facts });
      return facts;
    } catch (cause) {
      throw new JugqError(
        'FILE_NOT_FOUND',
        `a file cannot be read: ${absolute}: ${place}: ${(cause as Error).message}: plan where it is`,
        { cause },
      );
    }
  }

  /** The content, unless the file has changed since `facts` were true. */
  contentOf({ path, digest }: FileFacts): Uint8Array | undefined {
    const bytes = readFileSync(path);
    return createHash('sha256').update(bytes).digest('hex') === digest
      ? new Uint8Array(bytes)
      : undefined;
  }
}

/** The paths of files that match, sorted in the same way everywhere. */
export function matchingFiles(pattern: string): string[] {
  // By their UTF-16, in every locale.
  return globSync(pattern, { expandDirectories: false }).sort();
}

/** Changes whenever the content may have changed. */
export function versionOf({ size, mtimeNs, ino }: BigIntStats): string {
  return [size, mtimeNs, ino].join(' ');
}

function digestOf(path: string): Pick<FileFacts, 'digest' | 'size'> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(pieceBytes);
  const file = openSync(path, 'r');
  try {
    let size = 0;
    for (;;) {
      const length = readSync(file, piece);
      if (length === 0) return { digest: hash.digest('hex'), size };
      hash.update(piece.subarray(0, length));
      size += length;
    }
  } finally {
    closeSync(file);
  }
}
