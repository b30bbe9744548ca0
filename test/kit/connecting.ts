/** Connections to test servers, made as jugq makes them, and what they are refused with. */
import type { ExecutionContext } from 'ava';
import { nkeys } from 'nats';
import { connectBroker, type ConnectionSettings } from '../../broker/connection.ts';
import type { Login } from '../../broker/login.ts';
import { isJugqError, type ErrorCode, type JugqError } from '../../core/errors.ts';

/** A token for servers that are configured with `withToken`. */
export const token: Login = { kind: 'token', token: 'sesame' };
export const withToken = 'authorization { token: sesame }';

/** Settings for a server, as a user's environment would give them. */
export function settingsFor(
  server: { port: number } | string,
  more: Partial<ConnectionSettings> = {},
): ConnectionSettings {
  const url = typeof server === 'string' ? server : `nats://127.0.0.1:${server.port.toString()}`;
  const origins = { servers: 'NATS_URL', login: 'NATS_TOKEN' };
  return { servers: [url], name: 'jugq test', login: { kind: 'none' }, origins, ...more };
}

/** The error that connecting ends with; it must have this code. */
export async function refused(
  t: ExecutionContext,
  settings: ConnectionSettings,
  code: ErrorCode,
): Promise<JugqError> {
  const error = await t.throwsAsync(connectBroker(settings, () => undefined));
  if (!isJugqError(error)) throw new Error('expected an error of ours', { cause: error });
  t.is(error.code, code, error.message);
  return error;
}

/** Connects and closes. */
export async function accepted(t: ExecutionContext, settings: ConnectionSettings): Promise<void> {
  const connection = await connectBroker(settings, () => undefined);
  t.truthy(connection.info?.version);
  await connection.close();
}

/** What the client's types leave untyped. */
export interface KeyPair {
  getPublicKey(): string;
  getSeed(): Uint8Array;
  sign(data: Uint8Array): Uint8Array;
}

export const keys = nkeys as {
  createOperator(): KeyPair;
  createAccount(): KeyPair;
  createUser(): KeyPair;
};

/** A new key pair of a user: its public key and the text of its seed. */
export function keyPair(): { user: string; text: string } {
  const pair = keys.createUser();
  return { user: pair.getPublicKey(), text: new TextDecoder().decode(pair.getSeed()) };
}
