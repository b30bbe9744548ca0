/** The jugfiles of the tests, and what their tasks left behind. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { userDirectory, type UserDirectory } from './cli.ts';
import type { TestServer } from './servers.ts';

/** Short waits: what a killed worker had in hand is given to others after two seconds. */
export const hasty = { JUGQ_ACK_WAIT: '2s', JUGQ_LEASE: '1s' };
let projects = 0;

/** A user's directory with a jugfile of `test/jugfiles/`, for a project of its own on this server. */
export async function projectOn(
  server: TestServer,
  jugfile: string,
  env: Readonly<Record<string, string>> = {},
): Promise<UserDirectory> {
  return userDirectory(
    { 'jugfile.ts': await readJugfile(jugfile) },
    { ...hasty, NATS_URL: server.url, JUGQ_PROJECT: `p${(++projects).toString()}`, ...env },
  );
}

/** The text of a file in `test/jugfiles/`. */
export function readJugfile(name: string): Promise<string> {
  return readFile(new URL(`../jugfiles/${name}.ts`, import.meta.url), 'utf8');
}

/** What the tasks of a jugfile wrote into `ran.log`: a line for each execution; none if it is not there. */
export async function executions({ path }: UserDirectory): Promise<string[]> {
  const text = await readFile(join(path, 'ran.log'), 'utf8').catch(() => '');
  return text.split('\n').slice(0, -1);
}

/** Lines that occur more than once. */
export function repeated(lines: readonly string[]): string[] {
  return [...new Set(lines.filter((line, at) => lines.indexOf(line) !== at))];
}
