/**
 * The contexts of the `nats` command line tool, read where it keeps them.
 *
 * What a context asks for and jugq cannot do is an error: a connection that leaves half of it away may reach another
 * server or account than the one that was meant.
 *
 * @see nats-io/jsm.go, natscontext/context.go
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { JugqError } from '../core/errors.ts';
import { readSetting } from './login.ts';

/** What a context says, under the names that jugq's settings have. */
export interface NatsContext {
  readonly file: string;
  readonly values: Readonly<Record<string, string | boolean>>;
}

/** Where the tool looks: below `configHome`, with `env` for variables and `home` for `~` in its paths. */
export interface ContextPlace {
  readonly configHome: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
}

/** The tool takes this for a context without an address. */
const defaultUrl = 'nats://127.0.0.1:4222';

/** The context's fields and our settings; the tool expands only what names files. */
const fields: ReadonlyMap<string, { readonly key: string; readonly isFile: boolean }> = new Map([
  ['url', { key: 'server', isFile: false }],
  ['token', { key: 'token', isFile: false }],
  ['user', { key: 'user', isFile: false }],
  ['password', { key: 'password', isFile: false }],
  ['creds', { key: 'creds', isFile: true }],
  ['nkey', { key: 'nkey', isFile: true }],
  ['ca', { key: 'tlsCa', isFile: true }],
  ['cert', { key: 'tlsCert', isFile: true }],
  ['key', { key: 'tlsKey', isFile: true }],
]);

/** Fields that change where the connection goes or what it may use, and that jugq does not have. */
const unsupported = [
  'socks_proxy',
  'nsc',
  'user_jwt',
  'jetstream_domain',
  'jetstream_api_prefix',
  'inbox_prefix',
  'windows_cert_store',
];

/**
 * Reads the context of this name.
 *
 * @throws JugqError `SETTINGS_INVALID` if there is none, it cannot be read, or it asks for what jugq cannot do
 */
export function readNatsContext(name: string, place: ContextPlace): NatsContext {
  const directory = join(place.configHome, 'nats', 'context');
  const file = join(directory, `${name}.json`);
  // The tool's own rule; a name is not a way to read other files.
  const isName = name !== '' && !name.includes('..') && !/[/\\]/.test(name);
  if (!isName || !existsSync(file)) throw unknownContext(name, directory);
  const content = parseContext(file);
  for (const field of unsupported) {
    if (content[field] !== undefined && content[field] !== '') {
      throw wrong(
        file,
        `asks for ${field}, which jugq cannot do: use another context, or settings of jugq's own`,
      );
    }
  }
  const values: Record<string, string | boolean> = { server: defaultUrl };
  for (const [field, { key, isFile }] of fields) {
    const value = content[field] ?? '';
    if (typeof value !== 'string')
      throw wrong(file, `expected ${field} to be text, got ${typeof value}`);
    if (value !== '') values[key] = isFile ? expand(value, file, place) : plain(value, file);
  }
  if (content['tls_first'] === true) values['tlsFirst'] = true;
  return { file, values };
}

function unknownContext(name: string, directory: string): JugqError {
  const known = existsSync(directory)
    ? readdirSync(directory).filter((each) => each.endsWith('.json'))
    : [];
  const names = known.map((each) => each.slice(0, -'.json'.length)).join(', ');
  return new JugqError(
    'SETTINGS_INVALID',
    `expected the name of a nats context in ${directory} (${names === '' ? 'there is none' : names}), got ${JSON.stringify(name)}: make it with "nats context add"`,
  );
}

function parseContext(file: string): Readonly<Record<string, unknown>> {
  const text = readSetting(file);
  try {
    const content: unknown = JSON.parse(text);
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
      return content as Readonly<Record<string, unknown>>;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw wrong(file, `expected JSON, got something else (${error.message})`);
  }
  throw wrong(file, 'expected a JSON object, got another value');
}

/** A reference such as `op://vault/item` names a secret that is kept elsewhere. */
function plain(value: string, file: string): string {
  if (/^(op|env|nsc|data):\/?\/?/.test(value)) {
    throw wrong(
      file,
      `refers to ${value.replace(/:.*/, ':…')}, which only the nats tool can look up: write the value itself, or use settings of jugq's own`,
    );
  }
  return value;
}

function expand(value: string, file: string, { home, env }: ContextPlace): string {
  const path = plain(value, file).replace(/^file:\/\//, '');
  const whole = path.replaceAll(
    /\$(?:\{(\w+)\}|(\w+))/g,
    (_all, braced?: string, bare?: string) => {
      return env[braced ?? bare ?? ''] ?? '';
    },
  );
  return whole.replace(/^~(?=\/|$)/, home);
}

function wrong(file: string, what: string): JugqError {
  return new JugqError('SETTINGS_INVALID', `the nats context ${file} ${what}`, {
    fields: { file },
  });
}
