/** The address that `jugq server` prints for workers elsewhere. */
import type { NetworkInterfaceInfo } from 'node:os';
import { hostname } from 'node:os';
import test from 'ava';
import { reachableHost } from '../../cli/keep-server.ts';

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
