import test from 'ava';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accepted, refused, settingsFor } from '../kit/connecting.ts';
import { startServer } from '../kit/servers.ts';

/** Makes an authority and certificates of it with openssl. */
function makeCertificates(): { directory: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'jugq-tls-'));
  const run = (command: string): void => {
    execFileSync('openssl', command.split(' '), { cwd: directory, stdio: 'ignore' });
  };
  const fresh = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes';
  for (const name of ['ca', 'other-ca']) {
    run(`req -x509 ${fresh} -keyout ${name}.key -out ${name}.pem -days 2 -subj /CN=${name}`);
  }
  const names = { server: 'IP:127.0.0.1', local: 'DNS:localhost', client: 'DNS:client' };
  for (const [name, alternative] of Object.entries(names)) {
    const request = `-keyout ${name}.key -out ${name}.csr -subj /CN=${name}`;
    run(`req ${fresh} ${request} -addext subjectAltName=${alternative}`);
    const sign = '-CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy';
    run(`x509 -req -in ${name}.csr -out ${name}.pem ${sign}`);
  }
  const remove = (): void => {
    rmSync(directory, { recursive: true });
  };
  return { directory, [Symbol.dispose]: remove };
}

function tlsConfig(directory: string, name: string, more = ''): string {
  const at = (file: string): string => JSON.stringify(join(directory, file));
  return `tls { cert_file: ${at(`${name}.pem`)}, key_file: ${at(`${name}.key`)}, ca_file: ${at('ca.pem')}, ${more} }`;
}

test('TLS: certificate of an authority that is named: connected, by address and by name', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  const tls = { ca: join(directory, 'ca.pem'), first: false };
  await using byAddress = await startServer({ config: tlsConfig(directory, 'server') });
  await accepted(t, settingsFor(byAddress, { tls }));
  await using byName = await startServer({ config: tlsConfig(directory, 'local') });
  await accepted(t, settingsFor(`tls://localhost:${byName.port.toString()}`, { tls }));
});

test('TLS: certificate for localhost on a server that was named by address: not trusted', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  await using server = await startServer({ config: tlsConfig(directory, 'local') });
  const tls = { ca: join(directory, 'ca.pem'), first: false };
  const error = await refused(t, settingsFor(server, { tls }), 'SERVER_UNREACHABLE');
  t.regex(error.message, /does not match certificate.*use a name that the certificate is for/);
});

test('TLS: certificate of an unknown authority: not trusted, with the setting that mends it', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  await using server = await startServer({ config: tlsConfig(directory, 'server') });
  for (const settings of [
    settingsFor(server),
    settingsFor(server, { tls: { ca: join(directory, 'other-ca.pem'), first: false } }),
  ]) {
    const error = await refused(t, settings, 'SERVER_UNREACHABLE');
    t.regex(error.message, /TLS: .*name the authority .* with --tls-ca/);
  }
});

test('TLS: a server that demands a certificate: connected with one, refused without or with a foreign one', async (t) => {
  t.timeout(30_000);
  using made = makeCertificates();
  const { directory } = made;
  const at = (name: string): string => join(directory, name);
  await using server = await startServer({
    config: tlsConfig(directory, 'server', 'verify: true'),
  });
  const trusted = { ca: at('ca.pem'), first: false };
  const own = { cert: at('client.pem'), key: at('client.key') };
  await accepted(t, settingsFor(server, { tls: { ...trusted, ...own } }));
  const foreign = { cert: at('other-ca.pem'), key: at('other-ca.key') };
  const [without, wrong] = await Promise.all([
    refused(t, settingsFor(server, { tls: trusted }), 'SERVER_REFUSED'),
    refused(t, settingsFor(server, { tls: { ...trusted, ...foreign } }), 'SERVER_REFUSED'),
  ]);
  t.regex(without.message, /demands a client certificate.*--tls-cert and --tls-key/);
  t.regex(wrong.message, /refused the client certificate .*other-ca\.pem/);
});

test('TLS: handshake first on both sides: connected', async (t) => {
  using made = makeCertificates();
  const { directory } = made;
  const config = tlsConfig(directory, 'server', 'handshake_first: true');
  await using server = await startServer({ config });
  await accepted(t, settingsFor(server, { tls: { ca: join(directory, 'ca.pem'), first: true } }));
});

test('TLS: asked of a server without it: unreachable, because it offers none', async (t) => {
  await using server = await startServer();
  const url = `tls://127.0.0.1:${server.port.toString()}`;
  const error = await refused(t, settingsFor(url), 'SERVER_UNREACHABLE');
  t.regex(error.message, /offers no TLS/);
});

test('TLS: a file that cannot be read: a wrong setting that names it', async (t) => {
  const tls = { ca: '/no/such/ca.pem', first: false };
  const error = await refused(t, settingsFor('h', { tls }), 'SETTINGS_INVALID');
  t.regex(error.message, /^cannot read \/no\/such\/ca\.pem/);
});
