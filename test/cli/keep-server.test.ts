/** The address that `jugq server` prints for workers elsewhere. */
import type { NetworkInterfaceInfo } from 'node:os';
import { hostname } from 'node:os';
import test from 'ava';
import { reachableHost, whoFindsIt } from '../../cli/keep-server.ts';
import { loadSettings } from '../../cli/settings.ts';
import { userDirectory } from '../kit/cli.ts';

function card(family: 'IPv4' | 'IPv6', address: string, internal: boolean): NetworkInterfaceInfo {
  const rest = { address, internal, netmask: '', mac: '', cidr: null };
  return family === 'IPv4' ? { ...rest, family } : { ...rest, family, scopeid: 0 };
}

const loopback = [card('IPv4', '127.0.0.1', true), card('IPv6', '::1', true)];
const outside = [card('IPv6', 'fe80::1', false), card('IPv4', '192.0.2.7', false)];

test('a server that listens everywhere: the first IPv4 address that others see', (t) => {
  for (const host of ['0.0.0.0', '::']) {
    t.is(reachableHost(host, { lo: loopback, eth0: outside }), '192.0.2.7');
  }
});

test('a machine without such an address: its name', (t) => {
  t.is(reachableHost('0.0.0.0', { lo: loopback }), hostname());
});

test('an address of its own: as it was given, without brackets', (t) => {
  t.is(reachableHost('198.51.100.3'), '198.51.100.3');
  t.is(reachableHost('[2001:db8::1]'), '2001:db8::1');
});

test('who finds it: commands of this directory, unless something names another server', async (t) => {
  await using user = await userDirectory({});
  const said = (env: NodeJS.ProcessEnv): string =>
    whoFindsIt(loadSettings({ flags: {}, env: { HOME: user.path, ...env }, cwd: user.path }));
  t.is(said({}), 'commands in this directory find it by themselves');
  for (const name of ['NATS_URL', 'JUGQ_SERVER']) {
    t.is(
      said({ [name]: 'nats://hush@192.0.2.7:4222' }),
      `commands in this directory use nats://***@192.0.2.7:4222 instead, from ${name}: take that away, or give them --server with this address`,
    );
  }
  await user.write('jugq.config.json', '{ "server": "nats://192.0.2.8:4222" }');
  t.regex(said({}), /use nats:\/\/192\.0\.2\.8:4222 instead, from \S+jugq\.config\.json: take/);
});

test('the server says so: it is kept up all the same', async (t) => {
  await using user = await userDirectory({}, { NATS_URL: 'nats://192.0.2.7:4222' });
  const server = user.start('server');
  await server.printed('interrupt to end it');
  t.true(server.output().includes('use nats://192.0.2.7:4222 instead, from NATS_URL: take'));
  t.false(server.output().includes('by themselves'));
  server.process.kill('SIGINT');
  await server.finished;
});
