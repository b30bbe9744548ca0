import test from 'ava';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { originOf, refused, tree } from '../kit/settings-tree.ts';

const context = { 'home/.config/nats/context/prod.json': { url: 'nats://prod:4222', token: 'p' } };

test('context: one that is merely selected: not used', (t) => {
  const files = tree(t, { ...context, 'home/.config/nats/context.txt': 'prod' });
  t.deepEqual(files.load({ env: { NATS_CONTEXT: 'prod' } }).settings.server, []);
});

test('context: named by flag, variable or file: used at the strength of that source', (t) => {
  const files = tree(t, context);
  const file = join(files.root, 'home/.config/nats/context/prod.json');
  const env = { JUGQ_SERVER: 'nats://other:1', NATS_TOKEN: 'n' };
  const byFlag = files.load({ flags: { context: 'prod' }, env });
  t.deepEqual(byFlag.settings.connection, {
    servers: ['nats://prod:4222'],
    login: { kind: 'token', token: 'p' },
    tls: undefined,
    origins: { servers: `the nats context ${file}`, login: `the nats context ${file}` },
  });
  const byVariable = files.load({ env: { ...env, JUGQ_CONTEXT: 'prod' } }).settings.connection;
  t.deepEqual(byVariable.servers, ['nats://other:1']);
  t.deepEqual(byVariable.login, { kind: 'token', token: 'p' });
  writeFileSync(join(files.root, 'repo/jugq.config.json'), '{"context": "prod"}');
  t.deepEqual(files.load({ env: { NATS_TOKEN: 'n' } }).settings.connection.login, {
    kind: 'token',
    token: 'n',
  });
  t.deepEqual(files.load().settings.server, ['nats://prod:4222']);
});

test('login: the strongest source decides the kind, and the others are said to be unused', (t) => {
  const files = tree(t, { 'repo/jugq.config.json': { creds: 'prod.creds', password: 'x' } });
  const loaded = files.load({ env: { NATS_TOKEN: 'secret-token' } });
  t.deepEqual(loaded.settings.connection.login, { kind: 'token', token: 'secret-token' });
  t.is(loaded.settings.connection.origins.login, 'NATS_TOKEN');
  const unused = { value: undefined, origin: 'not used, because NATS_TOKEN is stronger' };
  t.deepEqual(originOf(loaded, 'creds'), unused);
  t.deepEqual(originOf(loaded, 'password'), unused);
  t.notRegex(JSON.stringify(loaded.origins), /secret-token/);
});

test('login: every kind from the variables of the nats tool', (t) => {
  const files = tree(t);
  const seed = `SU${'A'.repeat(56)}`;
  const cases = [
    [{ NATS_CREDS: 'c.creds' }, { kind: 'creds', file: join(files.root, 'repo/c.creds') }],
    [{ NATS_NKEY: 'u.nk' }, { kind: 'nkey', file: join(files.root, 'repo/u.nk') }],
    [{ NATS_NKEY: seed }, { kind: 'seed', seed }],
    [
      { NATS_USER: 'ada', NATS_PASSWORD: ' p ' },
      { kind: 'user', user: 'ada', password: ' p ' },
    ],
    [{ NATS_USER: 'word' }, { kind: 'token', token: 'word' }],
    [{ NATS_TOKEN: 'off' }, { kind: 'token', token: 'off' }],
    [{ NATS_URL: 'nats://ada:p%40@h:1' }, { kind: 'user', user: 'ada', password: 'p@' }],
    [{ NATS_URL: 'nats://word@h:1' }, { kind: 'token', token: 'word' }],
  ] as const;
  for (const [env, login] of cases) {
    t.deepEqual(files.load({ env }).settings.connection.login, login);
  }
});

test('login: a password from the environment beside a user in a file: together', (t) => {
  const files = tree(t, { 'repo/jugq.config.json': { user: 'ada' } });
  const { login } = files.load({ env: { NATS_PASSWORD: 'p' } }).settings.connection;
  t.deepEqual(login, { kind: 'user', user: 'ada', password: 'p' });
});

test('login: two kinds in one source, or a password alone: refused', (t) => {
  const files = tree(t, { 'repo/jugq.config.json': { token: 'a', creds: 'b' } });
  refused(t, () => files.load(), /expected one login from .*jugq\.config\.json, got creds, token/);
  refused(
    t,
    () => tree(t).load({ env: { NATS_PASSWORD: 'p' } }),
    /expected a user beside the password from NATS_PASSWORD/,
  );
});

test('TLS: files and the handshake are handed on; a certificate without its key is refused', (t) => {
  const files = tree(t);
  const env = { NATS_CA: '/ca', NATS_CERT: '/cert', NATS_KEY: '/key' };
  const { tls } = files.load({ env }).settings.connection;
  t.deepEqual(tls, { ca: '/ca', cert: '/cert', key: '/key', first: false });
  refused(
    t,
    () => files.load({ env: { NATS_CERT: '/cert' } }),
    /expected tlsKey beside tlsCert from NATS_CERT/,
  );
});
