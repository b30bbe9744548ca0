/** Paths to the files that a task takes: the file itself where it is as it was planned, else a copy of its content. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { decodeValue } from '../core/codec.ts';
import { JugqError } from '../core/errors.ts';
import { contentId } from '../core/files.ts';
import type { FileReference } from '../core/references.ts';
import { versionOf } from './source-files.ts';
import type { ReadResults } from './thread-link.ts';

/** Digests of files by what they were when they were read. */
const digests = new Map<string, string>();

/**
 * A path to a file's content.
 *
 * @param directory - where copies are kept
 * @throws JugqError `FILE_NOT_FOUND`
 */
export async function localPath(
  reference: FileReference,
  from: { readonly directory: string; readonly read: ReadResults },
): Promise<string> {
  const { file: digest, path } = reference;
  if (await isSame(path, reference)) return path;
  const directory = join(from.directory, 'files', digest);
  const copy = join(directory, basename(path));
  if (await isSame(copy, reference)) return copy;
  const [bytes] = await from.read([contentId(digest)]);
  const content = bytes && decodeValue(bytes);
  if (!(content instanceof Uint8Array)) {
    throw new JugqError(
      'FILE_NOT_FOUND',
      `a file is not here as it was planned, and its content is not stored: ${path}: plan again with a server that is not private, or put it there`,
    );
  }
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Complete under its name or not there at all, however many processes write it at once.
  const partial = `${copy}.${process.pid.toString()}.${Math.random().toString(36).slice(2)}`;
  await writeFile(partial, content);
  await rename(partial, copy);
  return copy;
}

async function isSame(path: string, { file, size }: FileReference): Promise<boolean> {
  const facts = await stat(path, { bigint: true }).catch(() => undefined);
  if (facts?.isFile() !== true || facts.size !== BigInt(size)) return false;
  const key = `${path} ${versionOf(facts)}`;
  const known = digests.get(key) ?? (await digestOf(path));
  if (known !== undefined) digests.set(key, known);
  return known === file;
}

/** Undefined for what cannot be read: its content may be had elsewhere. */
async function digestOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
    return hash.digest('hex');
  } catch {
    return undefined;
  }
}
