/** One value of a setting: read from what a person wrote, and shown again. */
import { isAbsolute, join, resolve } from 'node:path';
import { isSeed } from '../broker/login.ts';
import { maskUrl, parseServerUrl } from '../broker/server-url.ts';
import { formatDuration, parseDuration } from '../core/duration.ts';
import { JugqError } from '../core/errors.ts';
import { parseProject } from '../core/identifiers.ts';
import { isSecret, rowOf, type SettingKey, type SettingRow } from './settings-table.ts';

/** Where a value stands; `origin` is for people, paths are relative to `directory`. */
export interface ValuePlace {
  readonly origin: string;
  readonly directory: string;
  readonly home: string;
}

const offWords: ReadonlySet<string> = new Set(['', 'off', 'false', 'no', '0']);
const onWords: ReadonlySet<string> = new Set(['on', 'true', 'yes', '1']);
const queuePattern = /^[A-Za-z0-9_-]+$/;

/**
 * Reads the value of a setting.
 *
 * @param raw - text from a command line or the environment, or any JSON value
 * @returns a value of the setting's kind; undefined if the setting was turned off
 * @throws JugqError `SETTINGS_INVALID`, naming the setting and the place
 */
export function readValue(key: SettingKey, raw: unknown, place: ValuePlace): unknown {
  const row = rowOf(key);
  const value = typeof raw === 'string' && row.kind !== 'secret' ? raw.trim() : raw;
  try {
    if (row.kind === 'boolean') return readBoolean(value);
    if (isOff(row, value)) return Array.isArray(row.fallback) ? [] : undefined;
    return readKind(row, value, place);
  } catch (error) {
    if (!(error instanceof JugqError)) throw error;
    throw new JugqError(
      'SETTINGS_INVALID',
      `the setting ${key} from ${place.origin} is wrong: ${error.message}`,
      { cause: error, fields: { key, origin: place.origin } },
    );
  }
}

/** A value as it may be shown to anybody. */
export function showValue(key: SettingKey, value: unknown): unknown {
  if (value === undefined) return value;
  const { kind } = rowOf(key);
  if (isSecret(key)) return '***';
  if (kind === 'nkey') return typeof value === 'string' && isSeed(value) ? '***' : value;
  if (kind === 'servers') return textsIn(value).map(maskUrl);
  return kind === 'duration' ? formatDuration(Number(value)) : value;
}

/** Only what has no value by default can be off; words may be secrets. */
function isOff(row: SettingRow, value: unknown): boolean {
  const canBeOff =
    row.fallback === undefined || (Array.isArray(row.fallback) && row.fallback.length === 0);
  if (!canBeOff || row.kind === 'project') return false;
  if (value === false || value === null || value === '') return true;
  if (typeof value === 'number') return value === 0;
  return row.kind !== 'secret' && typeof value === 'string' && offWords.has(value.toLowerCase());
}

function readBoolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  const word = typeof value === 'string' ? value.toLowerCase() : JSON.stringify(value ?? '0');
  if (offWords.has(word)) return false;
  if (onWords.has(word)) return true;
  throw expected('true or false', value);
}

function readKind(row: SettingRow, value: unknown, place: ValuePlace): unknown {
  switch (row.kind) {
    case 'servers': {
      const servers = readList(value);
      servers.forEach(parseServerUrl);
      return servers;
    }
    case 'names': {
      const names = readList(value);
      if (names.length > 0 && names.every((name) => queuePattern.test(name))) return names;
      throw expected('names of letters, digits, "_" and "-", with commas between them', value);
    }
    case 'packages':
      return readList(value);
    case 'integer':
      return readInteger(row, value);
    case 'duration':
      return readDuration(row, value);
    case 'project':
      return parseProject(readText(value));
    case 'paths':
      return readList(value).map((each) => absolute(each, place));
    case 'choice':
      return readChoice(row, value);
    case 'path':
      return absolute(readText(value), place);
    case 'nkey':
      return isSeed(readText(value)) ? value : absolute(readText(value), place);
    case 'secret':
      if (typeof value === 'string') return value;
      // The value itself stays out of the message.
      throw expected('text', typeof value);
    default:
      return readText(value);
  }
}

function readText(value: unknown): string {
  if (typeof value === 'string' && value !== '') return value;
  throw expected('text', value);
}

/** Text with commas, or a list of texts. */
function readList(value: unknown): readonly string[] {
  const parts: unknown[] =
    typeof value === 'string' ? value.split(',') : Array.isArray(value) ? value : [undefined];
  if (!parts.every((part) => typeof part === 'string')) {
    throw expected('a list of texts, or one text with commas', value);
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

function readInteger(row: SettingRow, value: unknown): number {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  const { min = 0, max = Number.MAX_SAFE_INTEGER, oneOf } = row;
  const fits =
    typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max;
  if (fits && (oneOf === undefined || oneOf.includes(number))) return number;
  const wanted =
    oneOf === undefined
      ? `a whole number from ${min.toString()}${row.max === undefined ? '' : ` to ${row.max.toString()}`}`
      : oneOf.join(', ').replace(/, (?=\d+$)/, ' or ');
  throw expected(wanted, value);
}

function readChoice({ words = [] }: SettingRow, value: unknown): string {
  const word = typeof value === 'string' ? value.toLowerCase() : value;
  const found = words.find((each) => each === word);
  if (found !== undefined) return found;
  throw expected(words.join(' or '), value);
}

function readDuration(row: SettingRow, value: unknown): number {
  const ms = parseDuration(typeof value === 'string' ? value : JSON.stringify(value));
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = row;
  if (ms >= min && ms <= max) return ms;
  throw expected(`a duration from ${formatDuration(min)} to ${formatDuration(max)}`, value);
}

function absolute(path: string, { directory, home }: ValuePlace): string {
  if (path === '~' || path.startsWith('~/')) return join(home, path.slice(1));
  return isAbsolute(path) ? path : resolve(directory, path);
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function expected(wanted: string, value: unknown): JugqError {
  const got = typeof value === 'function' ? 'a function' : JSON.stringify(value);
  return new JugqError('SETTINGS_INVALID', `expected ${wanted}, got ${got}`);
}
