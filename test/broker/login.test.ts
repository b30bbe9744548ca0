import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Login } from '../../broker/login.ts';
import {
  accepted,
  keyPair,
  keys,
  refused,
  settingsFor,
  token,
  withToken,
  type KeyPair,
} from '../kit/connecting.ts';
import { startServer } from '../kit/servers.ts';

test('login: the right token: connected', async (t) => {
  await using server = await startServer({ config: withToken });
  await accepted(t, settingsFor(server, { login: token }));
});

test('login: a wrong token: refused, naming where it came from and not the token', async (t) => {
  await using server = await startServer({ config: withToken });
  const login: Login = { kind: 'token', token: 'wrong-one' };
  const error = await refused(t, settingsFor(server, { login }), 'SERVER_REFUSED');
  t.regex(error.message, /refused a token.*check what NATS_TOKEN names/);
  t.notRegex(error.message, /wrong-one/);
});

test('login: none where one is demanded: refused, with the ways to name one', async (t) => {
  await using server = await startServer({ config: withToken });
  const error = await refused(t, settingsFor(server), 'SERVER_REFUSED');
  t.regex(error.message, /refused no login.*--creds, --nkey, --token/);
});

test('login: user and password, named or in the address: connected; a wrong password: refused', async (t) => {
  const config = 'authorization { user: bob, password: "p@ss" }';
  await using server = await startServer({ config });
  await accepted(
    t,
    settingsFor(server, { login: { kind: 'user', user: 'bob', password: 'p@ss' } }),
  );
  await accepted(t, settingsFor(`nats://bob:p%40ss@127.0.0.1:${server.port.toString()}`));
  const url = `nats://bob:secret@127.0.0.1:${server.port.toString()}`;
  const error = await refused(t, settingsFor(url), 'SERVER_REFUSED');
  t.regex(error.message, /refused the user "bob"/);
  t.notRegex(error.message, /secret/);
});

test('login: an NKey, its seed in a file or given: connected', async (t) => {
  const { user, text } = keyPair();
  const config = `authorization { users: [{ nkey: ${user} }] }`;
  await using server = await startServer({ config });
  const file = join(server.storeDir, 'user.nk');
  writeFileSync(file, `${text}\n`);
  await accepted(t, settingsFor(server, { login: { kind: 'nkey', file } }));
  await accepted(t, settingsFor(server, { login: { kind: 'seed', seed: text } }));
  const other: Login = { kind: 'seed', seed: keyPair().text };
  await refused(t, settingsFor(server, { login: other }), 'SERVER_REFUSED');
});

/** A token as `nsc` makes them. */
function jwtOf(
  kind: 'operator' | 'account' | 'user',
  sub: string,
  by: KeyPair,
  more: object = {},
): string {
  const text = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const head = text({ typ: 'JWT', alg: 'ed25519-nkey' });
  const limits = { subs: -1, data: -1, payload: -1 };
  const nats = { type: kind, version: 2, ...(kind === 'user' ? limits : {}), ...more };
  const iat = Math.floor(Date.now() / 1000);
  const body = text({ jti: sub, iat, iss: by.getPublicKey(), name: kind, sub, nats });
  const signature = by.sign(new TextEncoder().encode(`${head}.${body}`));
  return `${head}.${body}.${Buffer.from(signature).toString('base64url')}`;
}

test('login: a credentials file: connected; one of another account: refused, naming the file', async (t) => {
  const [operator, account, user] = [
    keys.createOperator(),
    keys.createAccount(),
    keys.createUser(),
  ];
  const open = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1 };
  const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const accountKey = account.getPublicKey();
  const accountJwt = jwtOf('account', accountKey, operator, {
    limits: { ...open, ...storage, wildcards: true },
  });
  const systemKey = keys.createAccount().getPublicKey();
  const systemJwt = jwtOf('account', systemKey, operator, { limits: { ...open, wildcards: true } });
  const config = `operator: ${jwtOf('operator', operator.getPublicKey(), operator)}
    resolver: MEMORY
    system_account: ${systemKey}
    resolver_preload: { ${accountKey}: ${accountJwt}, ${systemKey}: ${systemJwt} }`;
  await using server = await startServer({ config });
  const write = (name: string, by: KeyPair): Login => {
    const file = join(server.storeDir, name);
    const jwt = jwtOf('user', user.getPublicKey(), by);
    const seed = new TextDecoder().decode(user.getSeed());
    writeFileSync(
      file,
      `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n` +
        `-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`,
    );
    return { kind: 'creds', file };
  };
  await accepted(t, settingsFor(server, { login: write('user.creds', account) }));
  const wrong = write('other.creds', keys.createAccount());
  const error = await refused(t, settingsFor(server, { login: wrong }), 'SERVER_REFUSED');
  t.regex(error.message, /refused the credentials file .*other\.creds/);
});

test('login: a file that is missing or something else: a wrong setting that names the file', async (t) => {
  const missing: Login = { kind: 'creds', file: '/no/such/file.creds' };
  const error = await refused(t, settingsFor('h', { login: missing }), 'SETTINGS_INVALID');
  t.regex(error.message, /^cannot read \/no\/such\/file\.creds: ENOENT/);
  for (const kind of ['creds', 'nkey'] as const) {
    const other: Login = { kind, file: import.meta.filename };
    const wrong = await refused(t, settingsFor('h', { login: other }), 'SETTINGS_INVALID');
    t.regex(wrong.message, /expected the .* file .*login\.test\.ts to hold a user's seed/);
  }
});
