/** How a process shows a NATS server who it is. */
import { readFileSync } from 'node:fs';
import { credsAuthenticator, nkeyAuthenticator, type Authenticator } from 'nats';
import { JugqError } from '../core/errors.ts';

/** Plain data, so that it can be handed to a thread; files are read where the connection is made. */
export type Login =
  | { readonly kind: 'none' }
  /** A file with a JWT and a seed, as `nsc` writes it. */
  | { readonly kind: 'creds'; readonly file: string }
  /** A file with the seed of an NKey. */
  | { readonly kind: 'nkey'; readonly file: string }
  | { readonly kind: 'seed'; readonly seed: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'user'; readonly user: string; readonly password: string };

const seedPattern = /\bSU[A-Z2-7]{56}\b/;

/** Whether the text is the seed of a user's NKey, and not the name of a file. */
export function isSeed(text: string): boolean {
  return text.length === 58 && seedPattern.test(text);
}

/** What was shown to the server, without secrets. */
export function describeLogin(login: Login): string {
  switch (login.kind) {
    case 'none':
      return 'no login';
    case 'creds':
      return `the credentials file ${login.file}`;
    case 'nkey':
      return `the NKey in ${login.file}`;
    case 'seed':
      return 'an NKey seed';
    case 'token':
      return 'a token';
    case 'user':
      return `the user ${JSON.stringify(login.user)} with a password`;
  }
}

/**
 * What answers the server's question at each connection and reconnection.
 *
 * Files are read each time, so that credentials that were renewed on disk are used; one that has become unreadable
 * meanwhile leaves the last good ones in use, for an error here would end the connection for good.
 *
 * @throws JugqError `SETTINGS_INVALID` if a file cannot be read or is not what it should be
 */
export function authenticatorFor(login: Login): Authenticator | undefined {
  switch (login.kind) {
    case 'none':
      return undefined;
    case 'token':
      return () => ({ auth_token: login.token });
    case 'user':
      return () => ({ user: login.user, pass: login.password });
    case 'seed':
      return checked(nkeyAuthenticator(encode(login.seed)), 'the NKey seed');
    case 'creds':
      return rereading(login.file, (text) =>
        checked(credsAuthenticator(encode(text)), `the credentials file ${login.file}`),
      );
    case 'nkey':
      return rereading(login.file, (text) => {
        const seed = seedPattern.exec(text)?.[0] ?? '';
        return checked(nkeyAuthenticator(encode(seed)), `the NKey file ${login.file}`);
      });
  }
}

/**
 * Makes sure that a file can be read.
 *
 * @throws JugqError `SETTINGS_INVALID`
 */
export function readSetting(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `cannot read ${file}: ${error instanceof Error ? error.message : String(error)}: check the path and its permissions`,
      { cause: error, fields: { file } },
    );
  }
}

function rereading(file: string, read: (text: string) => Authenticator): Authenticator {
  let good = read(readSetting(file));
  return (nonce) => {
    try {
      good = read(readSetting(file));
    } catch (error) {
      if (!(error instanceof JugqError)) throw error;
    }
    return good(nonce);
  };
}

/** The client finds out only while it answers the server, where its error would be a riddle. */
function checked(authenticator: Authenticator, what: string): Authenticator {
  try {
    const answer = authenticator('nonce');
    if (answer === undefined || !('nkey' in answer) || answer.nkey === '')
      throw new Error('no seed');
  } catch (error) {
    throw new JugqError(
      'SETTINGS_INVALID',
      `expected ${what} to hold a user's seed ("SU" and 56 letters and digits; beside its JWT in a credentials file), got something else: make it with "nsc generate creds" or "nk -gen user"`,
      { cause: error },
    );
  }
  return authenticator;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
