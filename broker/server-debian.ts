/**
 * Takes a nats-server out of a Debian or Ubuntu package without installing it, and without root.
 *
 * apt checks every package against the keys that it trusts, as in an installation; only the place differs. For a release
 * other than the machine's own, apt gets lists and caches of its own in a scratch directory, so that nothing that
 * belongs to the system is touched or needed.
 */
import { access, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JugqError } from '../core/errors.ts';
import { isNewEnough } from './server-binary.ts';
import { runCommand } from './server-command.ts';

/** The Debian release whose nats-server is new enough, and runs on Debian 12 and on the Ubuntu of its time, too. */
const donorRelease = 'trixie';
const defaultMirror = 'http://deb.debian.org/debian';
const systemKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const queryTimeoutMs = 60_000;
const downloadTimeoutMs = 10 * 60_000;

/** apt retries by itself what a mirror refuses for a moment, and does not wait for ever on one that is silent. */
const patience = ['-o', 'Acquire::Retries=3', '-o', 'Acquire::http::Timeout=30'];

/**
 * The nats-server of the machine's own distribution, if that is new enough.
 *
 * @param scratch - an empty directory to work in
 * @returns the path of the binary in `scratch`
 * @throws JugqError `SERVER_FAILED` if the package is missing or too old, or does not come
 */
export async function unpackOwnPackage(scratch: string): Promise<string> {
  const { stdout } = await runCommand('apt-cache', ['policy', 'nats-server'], {
    timeoutMs: queryTimeoutMs,
  });
  const candidate = /Candidate:\s*(\S+)/.exec(stdout)?.[1] ?? '(none)';
  // An epoch would stand before the version proper.
  if (!isNewEnough(candidate.replace(/^\d+:/, '').replace(/-.*/, ''))) {
    throw new JugqError(
      'SERVER_FAILED',
      `the package nats-server of this distribution is ${candidate === '(none)' ? 'missing' : `too old (${candidate})`}`,
    );
  }
  return serverIn(await unpack('nats-server', scratch, []));
}

/**
 * The nats-server of Debian 13.
 *
 * @param scratch - an empty directory to work in
 * @returns the path of the binary in `scratch`
 * @throws JugqError `SERVER_FAILED` if the package does not come
 */
export async function unpackDonorPackage(scratch: string): Promise<string> {
  const directories = ['lists/partial', 'cache/archives/partial', 'empty', 'keyring', 'package'];
  for (const each of directories) await mkdir(join(scratch, each), { recursive: true });
  const keyring = await debianKeyring(join(scratch, 'keyring'));
  const sources = join(scratch, 'sources.list');
  const mirror = await debianMirror();
  await writeFile(sources, `deb [signed-by=${keyring}] ${mirror} ${donorRelease} main\n`);
  const options = separateApt(scratch, sources);
  await runCommand('apt-get', [...options, '-qq', 'update', '--error-on=any'], {
    timeoutMs: downloadTimeoutMs,
  });
  return serverIn(await unpack('nats-server', join(scratch, 'package'), options));
}

/** What keeps apt off the system's own lists, sources, pins and users. */
function separateApt(scratch: string, sources: string): string[] {
  const empty = join(scratch, 'empty');
  const settings = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': empty,
    'Dir::Etc::preferences': '/dev/null',
    'Dir::Etc::preferencesparts': empty,
    'Dir::State': scratch,
    'Dir::State::lists': join(scratch, 'lists'),
    'Dir::Cache': join(scratch, 'cache'),
    'APT::Default-Release': '',
    // Otherwise root's apt downloads as a user who may not write to our scratch directory.
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
  };
  const options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  return [...options, ...patience];
}

/** What this machine's apt already uses for Debian, since nothing else may be reachable. */
async function debianMirror(): Promise<string> {
  const format = ['--no-release-info', '--format', '$(REPO_URI)', 'Created-By: Packages'];
  const { stdout } = await runCommand('apt-get', ['indextargets', ...format], {
    timeoutMs: queryTimeoutMs,
  });
  const mirrors = stdout.split('\n').map((line) => line.trim());
  return (
    mirrors.find((each) => /^(https?|mirror\S*|file|cdrom):.*\/debian\/?$/.test(each)) ??
    defaultMirror
  );
}

/** Ubuntu has no Debian keys installed, but a package of them that its own keys vouch for. */
async function debianKeyring(scratch: string): Promise<string> {
  const isInstalled = await access(systemKeyring).then(
    () => true,
    () => false,
  );
  if (isInstalled) return systemKeyring;
  return join(await unpack('debian-archive-keyring', scratch, []), systemKeyring);
}

/** Downloads a package and takes it apart; returns the directory that stands for `/`. */
async function unpack(name: string, scratch: string, options: readonly string[]): Promise<string> {
  const sandbox = ['-o', 'APT::Sandbox::User=root'];
  await runCommand('apt-get', [...patience, ...sandbox, ...options, '-qq', 'download', name], {
    timeoutMs: downloadTimeoutMs,
    cwd: scratch,
  });
  const archive = (await readdir(scratch)).find((each) => each.endsWith('.deb'));
  if (archive === undefined) {
    throw new JugqError('SERVER_FAILED', `apt-get download ${name}: nothing came`);
  }
  const root = join(scratch, 'unpacked');
  await runCommand('dpkg', ['-x', join(scratch, archive), root], { timeoutMs: queryTimeoutMs });
  return root;
}

/** Debian keeps it in `/usr/sbin`, later releases in `/usr/bin`. */
async function serverIn(root: string): Promise<string> {
  for (const folder of ['usr/sbin', 'usr/bin', 'sbin', 'bin']) {
    const names: readonly string[] = await readdir(join(root, folder)).catch(() => []);
    if (names.includes('nats-server')) return join(root, folder, 'nats-server');
  }
  throw new JugqError('SERVER_FAILED', 'the package nats-server holds no program of that name');
}
