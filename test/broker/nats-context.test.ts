import test, { type ExecutionContext } from 'ava';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readNatsContext, type ContextPlace } from '../../broker/nats-context.ts';
import { isJugqError } from '../../core/errors.ts';

/** A configuration directory with these contexts. */
function placeWith(t: ExecutionContext, contexts: Record<string, string | object>): ContextPlace {
  const configHome = mkdtempSync(join(tmpdir(), 'jugq-context-'));
  t.teardown(() => {
    rmSync(configHome, { recursive: true });
  });
  mkdirSync(join(configHome, 'nats', 'context'), { recursive: true });
  for (const [name, content] of Object.entries(contexts)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    writeFileSync(join(configHome, 'nats', 'context', `${name}.json`), text);
  }
  return { configHome, home: '/home/ada', env: { SECRETS: '/run/secrets' } };
}

function refused(t: ExecutionContext, action: () => unknown, message: RegExp): void {
  const error = t.throws(action);
  t.true(isJugqError(error, 'SETTINGS_INVALID'), error.message);
  t.regex(error.message, message);
}

test('nats context: as the tool writes it, with empty fields: only what it says', (t) => {
  const place = placeWith(t, {
    prod: {
      description: 'production',
      url: 'nats://a:4222,nats://b:4222',
      socks_proxy: '',
      token: '',
      user: 'ada',
      password: 'lovelace',
      creds: '',
      nsc: '',
      jetstream_domain: '',
      color_scheme: 'green',
      tls_first: false,
    },
  });
  t.deepEqual(readNatsContext('prod', place), {
    file: join(place.configHome, 'nats', 'context', 'prod.json'),
    values: { server: 'nats://a:4222,nats://b:4222', user: 'ada', password: 'lovelace' },
  });
});

test("nats context: no address: the tool's default one", (t) => {
  const place = placeWith(t, { local: {} });
  t.deepEqual(readNatsContext('local', place).values, { server: 'nats://127.0.0.1:4222' });
});

test('nats context: paths with ~, variables and file://: expanded', (t) => {
  const place = placeWith(t, {
    prod: {
      creds: '~/prod.creds',
      ca: '$SECRETS/ca.pem',
      cert: '${SECRETS}/cert.pem',
      key: 'file:///etc/key.pem',
      tls_first: true,
    },
  });
  t.deepEqual(readNatsContext('prod', place).values, {
    server: 'nats://127.0.0.1:4222',
    creds: '/home/ada/prod.creds',
    tlsCa: '/run/secrets/ca.pem',
    tlsCert: '/run/secrets/cert.pem',
    tlsKey: '/etc/key.pem',
    tlsFirst: true,
  });
});

test('nats context: unknown: refused with those that are there', (t) => {
  const place = placeWith(t, { prod: {}, test: {} });
  refused(t, () => readNatsContext('pord', place), /\(prod, test\), got "pord"/);
  refused(t, () => readNatsContext('../context/prod', place), /got "\.\.\/context\/prod"/);
  refused(t, () => readNatsContext('x', placeWith(t, {})), /\(there is none\), got "x"/);
});

test('nats context: asks for what jugq cannot do: refused, naming the field', (t) => {
  const place = placeWith(t, {
    far: { socks_proxy: 'socks5://p' },
    leaf: { jetstream_domain: 'hub' },
  });
  refused(t, () => readNatsContext('far', place), /far\.json asks for socks_proxy/);
  refused(t, () => readNatsContext('leaf', place), /leaf\.json asks for jetstream_domain/);
});

test('nats context: a secret that is kept elsewhere: refused without repeating it', (t) => {
  const place = placeWith(t, { vault: { password: 'op://vault/item' } });
  refused(t, () => readNatsContext('vault', place), /refers to op:…, which only the nats tool/);
});

test('nats context: no JSON, no object, a number for text: refused, naming the file', (t) => {
  const place = placeWith(t, { text: '{ url: 1 }', list: '[]', number: { url: 4222 } });
  refused(t, () => readNatsContext('text', place), /text\.json expected JSON/);
  refused(t, () => readNatsContext('list', place), /list\.json expected a JSON object/);
  refused(
    t,
    () => readNatsContext('number', place),
    /number\.json expected url to be text, got number/,
  );
});
