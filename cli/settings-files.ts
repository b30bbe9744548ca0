/** Files with settings: those of the project, from here up to the root of the repository, and the user's own. */
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { readSetting } from '../broker/login.ts';
import { JugqError } from '../core/errors.ts';
import { nearName } from './near-name.ts';
import { isSettingKey, settingKeys } from './settings-table.ts';

/** A file that was found, with nothing but settings in it. */
export interface SettingsFile {
  /** The path; of package.json it says that it is the `jugq` key. */
  readonly origin: string;
  readonly directory: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** A package's own name for itself. */
export interface PackageName {
  readonly name: string;
  readonly origin: string;
}

const configName = 'jugq.config.json';

/**
 * Settings files, the strongest first: of each directory from `cwd` up `jugq.config.json` and the `jugq` key of
 * package.json, then the user's.
 *
 * The way up ends at the root of the repository. Where there is none it ends at the nearest package.json, or at once:
 * a file that somebody else put into `/tmp` must not name the binary that is run or the server that gets the code.
 *
 * @throws JugqError `SETTINGS_INVALID` if a file cannot be parsed or has a key that is no setting
 */
export function findSettingsFiles(cwd: string, configHome: string): SettingsFile[] {
  const found = directoriesUp(cwd).flatMap((directory) => [
    ...configIn(join(directory, configName), directory),
    ...packageIn(directory),
  ]);
  const userDirectory = join(configHome, 'jugq');
  return [...found, ...configIn(join(userDirectory, 'config.json'), userDirectory)];
}

/** The name in the nearest package.json that has one, else of its directory, else of `cwd`. */
export function findPackageName(cwd: string): PackageName {
  const files = directoriesUp(cwd)
    .map((directory) => join(directory, 'package.json'))
    .filter(existsSync);
  for (const file of files) {
    const { name } = parseObject(file);
    if (typeof name === 'string' && name !== '') return { name, origin: `the name in ${file}` };
  }
  const directory = files[0] === undefined ? cwd : dirname(files[0]);
  return { name: basename(directory), origin: `the name of ${directory}` };
}

function directoriesUp(cwd: string): string[] {
  const all = [cwd];
  for (let at = cwd; dirname(at) !== at;) {
    at = dirname(at);
    all.push(at);
  }
  const root = all.findIndex((each) => existsSync(join(each, '.git')));
  const last = root === -1 ? all.findIndex((each) => existsSync(join(each, 'package.json'))) : root;
  return all.slice(0, Math.max(last, 0) + 1);
}

function configIn(file: string, directory: string): SettingsFile[] {
  if (!existsSync(file)) return [];
  return [checked({ origin: file, directory, values: parseObject(file) })];
}

function packageIn(directory: string): SettingsFile[] {
  const file = join(directory, 'package.json');
  if (!existsSync(file)) return [];
  const values = parseObject(file)['jugq'];
  const origin = `the key jugq of ${file}`;
  if (values === undefined) return [];
  if (isObject(values)) return [checked({ origin, directory, values })];
  throw new JugqError(
    'SETTINGS_INVALID',
    `expected ${origin} to be an object, got ${JSON.stringify(values)}`,
  );
}

function checked(file: SettingsFile): SettingsFile {
  for (const key of Object.keys(file.values)) {
    if (isSettingKey(key)) continue;
    const near = nearName(key, settingKeys);
    const hint = near === undefined ? `one of ${settingKeys.join(', ')}` : `did you mean ${near}?`;
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected only settings in ${file.origin}, got ${JSON.stringify(key)}: ${hint}`,
      { fields: { key, origin: file.origin } },
    );
  }
  return file;
}

function parseObject(file: string): Readonly<Record<string, unknown>> {
  const text = readSetting(file);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected JSON in ${file}, got something else: ${error.message}`,
      {
        cause: error,
        fields: { file },
      },
    );
  }
  if (isObject(content)) return content;
  throw new JugqError('SETTINGS_INVALID', `expected a JSON object in ${file}, got another value`, {
    fields: { file },
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
