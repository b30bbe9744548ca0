/** npm packages of peers: jugq does not depend on them, so they are installed when they are asked for. */
import { access, mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serverCacheDirectory } from '../../../broker/server-binary.ts';
import { runCommand } from '../../../broker/server-command.ts';

const installMs = 300_000;

/**
 * Installs packages into the user's cache, once for each set of versions.
 *
 * @param packages - with exact versions, `bullmq@6.7.0`
 * @returns the directory to import them from
 * @throws JugqError `SERVER_FAILED` if npm cannot get them
 */
export async function installPackages(packages: readonly string[]): Promise<string> {
  const name = packages.join('+').replaceAll(/[^\w.+@-]/g, '-');
  const directory = join(serverCacheDirectory(), 'bench-peers', name);
  const complete = join(directory, 'complete');
  try {
    await access(complete);
  } catch {
    await mkdir(directory, { recursive: true });
    const flags = ['--no-audit', '--no-fund', '--no-save', '--prefix', directory];
    await runCommand('npm', ['install', ...flags, ...packages], { timeoutMs: installMs });
    await writeFile(complete, '');
  }
  return directory;
}

/** Imports a package from a directory that `installPackages` has filled; what it exports is for the caller to know. */
export async function importFrom(directory: string, name: string): Promise<unknown> {
  const path = createRequire(join(directory, 'package.json')).resolve(name);
  return (await import(pathToFileURL(path).href)) as unknown;
}
