/** Which of the logins that are named somewhere is used: the strongest one, as a whole. */
import type { ConnectionSettings, TlsSettings } from '../broker/connection.ts';
import { isSeed, type Login } from '../broker/login.ts';
import { loginOf } from '../broker/server-url.ts';
import { JugqError } from '../core/errors.ts';
import type { SettingKey, SettingValues } from './settings-table.ts';

/** Where the value of each setting stands; ranks count from the strongest source, 0. */
export type Sources = Readonly<
  Record<SettingKey, { readonly rank: number; readonly origin: string }>
>;

/** What is needed for a connection, except its name. */
export type ConnectionTarget = Omit<ConnectionSettings, 'name'>;

interface Candidate {
  readonly login: Login;
  /** The settings that make it up. */
  readonly keys: readonly SettingKey[];
  readonly rank: number;
  readonly origin: string;
}

const loginKeys = ['creds', 'nkey', 'token', 'user', 'password'] as const;

/**
 * Chooses the login.
 *
 * The kinds exclude each other, so that a token in the environment must not be sent along with a file's credentials.
 *
 * @returns also the settings that lost, which are then not in use
 * @throws JugqError `SETTINGS_INVALID` if one source names two, or a part is missing
 */
export function chooseConnection(
  values: SettingValues,
  sources: Sources,
): { target: ConnectionTarget; unused: readonly SettingKey[] } {
  const candidates = candidatesIn(values, sources);
  const [first, second] = candidates.toSorted((left, right) => left.rank - right.rank);
  if (first !== undefined && first.rank === second?.rank) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected one login from ${first.origin}, got ${[...first.keys, ...second.keys].join(', ')}: name either creds, nkey, token, or user and password`,
    );
  }
  const used: readonly SettingKey[] = first?.keys ?? [];
  const target = {
    servers: values.server,
    login: first?.login ?? ({ kind: 'none' } as const),
    tls: tlsOf(values, sources),
    origins: { servers: sources.server.origin, login: first?.origin ?? 'default' },
  };
  return {
    target,
    unused: loginKeys.filter((key) => values[key] !== undefined && !used.includes(key)),
  };
}

function candidatesIn(values: SettingValues, sources: Sources): Candidate[] {
  const found: Candidate[] = [];
  const add = (login: Login | undefined, ...keys: readonly SettingKey[]): void => {
    if (login === undefined || login.kind === 'none') return;
    const given = keys.filter((key) => values[key] !== undefined).map((key) => sources[key]);
    const strongest = given.reduce((left, right) => (right.rank < left.rank ? right : left));
    found.push({ login, keys, ...strongest });
  };
  const { creds, nkey, token } = values;
  add(creds === undefined ? undefined : { kind: 'creds', file: creds }, 'creds');
  add(nkey === undefined ? undefined : nkeyLogin(nkey), 'nkey');
  add(token === undefined ? undefined : { kind: 'token', token }, 'token');
  add(userLogin(values), 'user', 'password');
  add(loginOf(values.server), 'server');
  if (values.password !== undefined && values.user === undefined && found.length === 0) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected a user beside the password from ${sources.password.origin}, got none: name it with --user or NATS_USER`,
    );
  }
  return found;
}

function nkeyLogin(nkey: string): Login {
  return isSeed(nkey) ? { kind: 'seed', seed: nkey } : { kind: 'nkey', file: nkey };
}

function userLogin({ user, password }: SettingValues): Login | undefined {
  if (user === undefined) return undefined;
  return password === undefined ? { kind: 'token', token: user } : { kind: 'user', user, password };
}

function tlsOf(values: SettingValues, sources: Sources): TlsSettings | undefined {
  const { tlsCa: ca, tlsCert: cert, tlsKey: key, tlsFirst: first } = values;
  if ((cert === undefined) !== (key === undefined)) {
    const [given, missing] =
      cert === undefined ? (['tlsKey', 'tlsCert'] as const) : (['tlsCert', 'tlsKey'] as const);
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected ${missing} beside ${given} from ${sources[given].origin}, got none: name both or neither`,
    );
  }
  const isNamed = first || ca !== undefined || cert !== undefined;
  return isNamed ? { ca, cert, key, first } : undefined;
}
