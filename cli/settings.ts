/**
 * The settings of a command: complete values, and where each came from.
 *
 * Strongest first: flags, `JUGQ_*`, `NATS_*`, settings files from here up to the root of the repository, the user's
 * file, defaults; key by key. A nats context that is named somewhere stands right after the source that names it.
 */
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { readNatsContext } from '../broker/nats-context.ts';
import { JugqError } from '../core/errors.ts';
import { projectFrom, type Project } from '../core/identifiers.ts';
import { nearName } from './near-name.ts';
import { findPackageName, findSettingsFiles } from './settings-files.ts';
import { chooseConnection, type ConnectionTarget } from './settings-login.ts';
import {
  environmentName,
  flagOf,
  isSettingKey,
  rowOf,
  settingKeys,
  type SettingFlags,
  type SettingKey,
  type SettingValues,
} from './settings-table.ts';
import { readValue, showValue, type ValuePlace } from './settings-values.ts';

export type { SettingFlags, SettingKey } from './settings-table.ts';
export type { ConnectionTarget } from './settings-login.ts';

/** Complete values: durations in milliseconds, paths absolute. */
export interface Settings extends Omit<SettingValues, 'project'> {
  readonly project: Project;
  /** Server, login and TLS in one; without servers a private one is meant. */
  readonly connection: ConnectionTarget;
}

/** One setting for a listing; secrets are masked. */
export interface SettingOrigin {
  readonly key: SettingKey;
  readonly value: unknown;
  /** `flag --server`, `JUGQ_SERVER`, a file, `default`. */
  readonly origin: string;
}

/** Settings, and where each came from. */
export interface LoadedSettings {
  readonly settings: Settings;
  readonly origins: readonly SettingOrigin[];
}

/** Where settings are looked for. */
export interface SettingsPlace {
  readonly flags: SettingFlags;
  /** How a flag is called in messages; default: as on a command line. */
  readonly flagOrigin?: (key: SettingKey) => string;
  readonly env: NodeJS.ProcessEnv;
  /** An absolute path. */
  readonly cwd: string;
}

/** A source; a value that is undefined was turned off there. */
interface Source {
  readonly values: ReadonlyMap<SettingKey, unknown>;
  readonly originOf: (key: SettingKey) => string;
}

interface Homes {
  readonly home: string;
  readonly configHome: string;
}

/**
 * Loads the settings.
 *
 * @throws JugqError `SETTINGS_INVALID`, naming the setting, where it stands, what was expected and what was found
 */
export function loadSettings(place: SettingsPlace): LoadedSettings {
  const sources = withContext(sourcesIn(place), place);
  const named = resolveAll([...sources, defaultsFor(place.cwd)]);
  const values = valuesIn(named);
  const { target, unused } = chooseConnection(values, named);
  const settings = { ...values, project: values.project as Project, connection: target };
  const origins = settingKeys.map((key) =>
    unused.includes(key)
      ? { key, value: undefined, origin: `not used, because ${target.origins.login} is stronger` }
      : { key, value: showValue(key, named[key].value), origin: named[key].origin },
  );
  return { settings, origins };
}

/**
 * Reads those settings that a program gives to a method of the library.
 *
 * @throws JugqError `SETTINGS_INVALID`
 */
export function readGiven<K extends SettingKey>(
  given: { readonly [key in K]?: SettingValues[key] | undefined },
  method: string,
): { [key in K]?: SettingValues[key] } {
  const { values } = readSource(givenFlags(given), (key) => `the option ${key} of ${method}`, {
    directory: process.cwd(),
    home: homedir(),
  });
  return Object.fromEntries(values) as { [key in K]?: SettingValues[key] };
}

function sourcesIn({
  flags,
  flagOrigin = (key) => `flag ${flagOf(key)}`,
  env,
  cwd,
}: SettingsPlace): Source[] {
  const { home, configHome } = homesIn(env);
  const here = { directory: cwd, home };
  return [
    readSource(givenFlags(flags), flagOrigin, here),
    readSource(fromEnvironment(env, environmentName), environmentName, here),
    readSource(fromEnvironment(env, natsName), (key) => natsName(key) ?? '', here),
    ...findSettingsFiles(cwd, configHome).map(({ values, origin, directory }) =>
      readSource(values, () => origin, { directory, home }),
    ),
  ];
}

/** @see XDG Base Directory Specification: a relative path is ignored */
function homesIn(env: NodeJS.ProcessEnv): Homes {
  const home = env['HOME'] ?? homedir();
  const named = env['XDG_CONFIG_HOME'] ?? '';
  return { home, configHome: isAbsolute(named) ? named : join(home, '.config') };
}

function readSource(
  raw: Readonly<Record<string, unknown>>,
  originOf: (key: SettingKey) => string,
  place: Omit<ValuePlace, 'origin'>,
): Source {
  const values = new Map<SettingKey, unknown>();
  for (const [key, value] of Object.entries(raw)) {
    if (!isSettingKey(key)) continue;
    values.set(key, readValue(key, value, { ...place, origin: originOf(key) }));
  }
  return { values, originOf };
}

/** Programs in plain JavaScript have no types to tell them of a slip. */
function givenFlags(flags: SettingFlags): Readonly<Record<string, unknown>> {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  for (const [key] of given) {
    if (isSettingKey(key)) continue;
    const near = nearName(key, settingKeys);
    const hint = near === undefined ? `one of ${settingKeys.join(', ')}` : `did you mean ${near}?`;
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected settings, got ${JSON.stringify(key)}: ${hint}`,
    );
  }
  return Object.fromEntries(given);
}

/** An empty variable is none, as is usual, except that it says no where the question is yes or no. */
function fromEnvironment(
  env: NodeJS.ProcessEnv,
  nameOf: (key: SettingKey) => string | undefined,
): Readonly<Record<string, unknown>> {
  const entries = settingKeys.flatMap((key) => {
    const name = nameOf(key);
    const text = name === undefined ? undefined : env[name];
    const isThere = text !== undefined && (text !== '' || rowOf(key).kind === 'boolean');
    return isThere ? [[key, text] as const] : [];
  });
  return Object.fromEntries(entries);
}

function natsName(key: SettingKey): string | undefined {
  return rowOf(key).natsName;
}

/** A context is as strong as the source that names it, whose own values come before it. */
function withContext(sources: readonly Source[], { env, cwd }: SettingsPlace): readonly Source[] {
  const at = sources.findIndex((each) => each.values.has('context'));
  const name = sources[at]?.values.get('context');
  if (typeof name !== 'string') return sources;
  const homes = homesIn(env);
  const { file, values } = readNatsContext(name, { ...homes, env });
  const context = readSource(values, () => `the nats context ${file}`, {
    directory: cwd,
    home: homes.home,
  });
  return sources.toSpliced(at + 1, 0, context);
}

function defaultsFor(cwd: string): Source {
  const found = findPackageName(cwd);
  const values = new Map<SettingKey, unknown>(settingKeys.map((key) => [key, rowOf(key).fallback]));
  values.set('project', projectFrom(found.name));
  return { values, originOf: (key) => (key === 'project' ? found.origin : 'default') };
}

type Named = Readonly<
  Record<SettingKey, { readonly value: unknown; readonly rank: number; readonly origin: string }>
>;

function resolveAll(sources: readonly Source[]): Named {
  const entries = settingKeys.map((key) => {
    const rank = sources.findIndex((each) => each.values.has(key));
    const source = sources[rank];
    return [key, { value: source?.values.get(key), rank, origin: source?.originOf(key) ?? '' }];
  });
  return Object.fromEntries(entries) as Named;
}

/** Safe because `readValue` gives values of the kind that the table says, and defaults stand in the table. */
function valuesIn(named: Named): SettingValues {
  return Object.fromEntries(settingKeys.map((key) => [key, named[key].value])) as SettingValues;
}
