import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { settingKeys } from '../../cli/settings-table.ts';
import { loadSettings, type SettingFlags } from '../../cli/settings.ts';
import { originOf, refused, tree } from '../kit/settings-tree.ts';

test('settings: nothing named: defaults, a private server, and the project of the directory', (t) => {
  const { settings, origins } = tree(t).load();
  t.is(String(settings.project), 'repo');
  t.deepEqual(settings.connection.servers, []);
  t.deepEqual(settings.connection.login, { kind: 'none' });
  t.is(settings.connection.tls, undefined);
  t.is(settings.threads, availableParallelism());
  t.deepEqual(settings.queues, ['default']);
  t.is(settings.ackWait, 15_000);
  t.is(settings.lease, 5000);
  t.is(settings.replicas, 1);
  t.is(settings.maxTasks, undefined);
  t.deepEqual(
    origins.map((each) => each.key),
    [...settingKeys],
  );
});

test('settings: every source names the same setting: the strongest wins, then the next, down to the default', (t) => {
  const value = (count: number): { maxTasks: number } => ({ maxTasks: count });
  const files = tree(t, {
    'repo/packages/a/jugq.config.json': value(3),
    'repo/packages/a/package.json': { name: 'a', jugq: value(4) },
    'repo/jugq.config.json': value(5),
    'repo/package.json': { jugq: value(6) },
    'home/.config/jugq/config.json': value(7),
  });
  const cwd = 'repo/packages/a';
  const env = { JUGQ_MAX_TASKS: '2' };
  const seen = [files.load({ flags: { maxTasks: '1' }, env, cwd }), files.load({ env, cwd })];
  const names = [
    'packages/a/jugq.config.json',
    'packages/a/package.json',
    'jugq.config.json',
    'package.json',
  ];
  for (const name of names) {
    seen.push(files.load({ cwd }));
    rmSync(join(files.root, 'repo', name));
  }
  seen.push(files.load({ cwd }));
  rmSync(join(files.root, 'home/.config/jugq/config.json'));
  seen.push(files.load({ cwd }));
  const at = (name: string): string => join(files.root, name);
  t.deepEqual(
    seen.map((loaded) => originOf(loaded, 'maxTasks')),
    [
      { value: 1, origin: 'flag --max-tasks' },
      { value: 2, origin: 'JUGQ_MAX_TASKS' },
      { value: 3, origin: at('repo/packages/a/jugq.config.json') },
      { value: 4, origin: `the key jugq of ${at('repo/packages/a/package.json')}` },
      { value: 5, origin: at('repo/jugq.config.json') },
      { value: 6, origin: `the key jugq of ${at('repo/package.json')}` },
      { value: 7, origin: at('home/.config/jugq/config.json') },
      { value: undefined, origin: 'default' },
    ],
  );
  t.deepEqual(
    seen.map((each) => each.settings.maxTasks),
    [1, 2, 3, 4, 5, 6, 7, undefined],
  );
});

test('settings: NATS_* stands between JUGQ_* and the files', (t) => {
  const files = tree(t, { 'repo/jugq.config.json': { server: 'file:1' } });
  const env = { NATS_URL: 'nats:1', JUGQ_SERVER: 'jugq:1' };
  t.deepEqual(originOf(files.load({ env }), 'server'), {
    value: ['jugq:1'],
    origin: 'JUGQ_SERVER',
  });
  const weaker = files.load({ env: { NATS_URL: 'nats:1' } });
  t.deepEqual(originOf(weaker, 'server'), { value: ['nats:1'], origin: 'NATS_URL' });
  t.deepEqual(files.load().settings.server, ['file:1']);
});

test('settings: two files name different keys: both count', (t) => {
  const files = tree(t, {
    'repo/packages/a/jugq.config.json': { threads: 3 },
    'repo/jugq.config.json': { threads: 5, replicas: 3 },
  });
  const { settings } = files.load({ cwd: 'repo/packages/a' });
  t.is(settings.threads, 3);
  t.is(settings.replicas, 3);
});

test('settings: a file above the root of the repository: not read', (t) => {
  const files = tree(t, { 'jugq.config.json': { threads: 3 } });
  t.is(files.load({ cwd: 'repo/packages/a' }).settings.threads, availableParallelism());
});

test('settings: no repository: read up to the nearest package.json and no further', (t) => {
  const files = tree(t, {
    'jugq.config.json': { replicas: 3 },
    'plain/jugq.config.json': { threads: 3 },
    'plain/package.json': {},
    'plain/deep/.keep': '',
    'bare/deep/.keep': '',
  });
  const found = files.load({ cwd: 'plain/deep' }).settings;
  t.is(found.threads, 3);
  t.is(found.replicas, 1);
  t.is(files.load({ cwd: 'bare/deep' }).settings.replicas, 1);
});

test("settings: XDG_CONFIG_HOME moves the user's file; a relative one is ignored", (t) => {
  const files = tree(t, {
    'xdg/jugq/config.json': { threads: 7 },
    'home/.config/jugq/config.json': { threads: 8 },
  });
  t.is(files.load({ env: { XDG_CONFIG_HOME: join(files.root, 'xdg') } }).settings.threads, 7);
  t.is(files.load({ env: { XDG_CONFIG_HOME: 'xdg' } }).settings.threads, 8);
});

for (const word of ['off', 'false', '0', 'no', 'OFF']) {
  test(`settings: ${word} in a stronger source: turns off what a weaker one turned on`, (t) => {
    const files = tree(t, {
      'repo/jugq.config.json': {
        maxTasks: 5,
        maxTime: '1h',
        stopFile: 'stop',
        context: 'prod',
        tlsFirst: true,
        server: 'file:1',
      },
    });
    const env = {
      JUGQ_MAX_TASKS: word,
      JUGQ_MAX_TIME: word,
      JUGQ_STOP_FILE: word,
      JUGQ_CONTEXT: word,
      JUGQ_TLS_FIRST: word,
    };
    const { settings } = files.load({ env, flags: { server: word } });
    t.is(settings.maxTasks, undefined);
    t.is(settings.maxTime, undefined);
    t.is(settings.stopFile, undefined);
    t.is(settings.context, undefined);
    t.is(settings.tlsFirst, false);
    t.deepEqual(settings.server, []);
  });
}

test('settings: false and null in a file turn off, too; an empty variable is none, but no for a yes or no', (t) => {
  const files = tree(t, {
    'repo/packages/a/jugq.config.json': { maxTasks: false, stopFile: null },
    'repo/jugq.config.json': { maxTasks: 5, stopFile: 'stop', tlsFirst: true, threads: 3 },
  });
  const env = { JUGQ_THREADS: '', JUGQ_TLS_FIRST: '' };
  const { settings } = files.load({ cwd: 'repo/packages/a', env });
  t.is(settings.maxTasks, undefined);
  t.is(settings.stopFile, undefined);
  t.is(settings.threads, 3);
  t.is(settings.tlsFirst, false);
});

test('settings: the words for yes: true', (t) => {
  for (const word of ['on', 'true', '1', 'yes', 'True']) {
    t.true(tree(t).load({ env: { JUGQ_TLS_FIRST: word } }).settings.tlsFirst, word);
  }
});

test('settings: what is needed by all cannot be off: refused', (t) => {
  for (const flags of [{ threads: 'off' }, { ackWait: '0' }, { queues: '' }, { project: '' }]) {
    refused(t, () => tree(t).load({ flags }), /expected .*, got/);
  }
});

test('settings: lists, with commas or as lists: the same', (t) => {
  const files = tree(t, {
    'repo/jugq.config.json': { queues: ['gpu', 'default'], external: ['sharp'] },
  });
  t.deepEqual(files.load().settings.queues, ['gpu', 'default']);
  t.deepEqual(files.load().settings.external, ['sharp']);
  t.deepEqual(files.load({ flags: { queues: ' gpu, default ,' } }).settings.queues, [
    'gpu',
    'default',
  ]);
});

test('settings: paths: relative to the file or to here, and ~ is the home', (t) => {
  const files = tree(t, {
    'repo/jugq.config.json': { stopFile: 'stop', creds: '~/bin/nats.creds' },
  });
  const { settings } = files.load({ cwd: 'repo/packages/a', flags: { tlsCa: '../ca.pem' } });
  t.is(settings.stopFile, join(files.root, 'repo/stop'));
  t.is(settings.creds, join(files.root, 'home/bin/nats.creds'));
  t.is(settings.tlsCa, join(files.root, 'repo/packages/ca.pem'));
});

test('project: flag, variable, files, then the name in package.json made valid, then the directory', (t) => {
  const files = tree(t, {
    'repo/packages/a/package.json': { type: 'module' },
    'repo/package.json': { name: '@acme/image.tools' },
    'other dir/.keep': '',
  });
  const named = files.load({ cwd: 'repo/packages/a' });
  t.is(String(named.settings.project), 'acme-image-tools');
  t.is(originOf(named, 'project').origin, `the name in ${join(files.root, 'repo/package.json')}`);
  t.is(String(files.load({ cwd: 'other dir' }).settings.project), 'other-dir');
  t.is(String(files.load({ env: { JUGQ_PROJECT: 'mine' } }).settings.project), 'mine');
  refused(
    t,
    () => files.load({ flags: { project: 'a b' } }),
    /flag --project is wrong: expected a project name .*got "a b"/,
  );
});

test('listing: passwords, tokens and what stands before an @ are masked, durations readable', (t) => {
  const flags = { server: 'nats://u:hush@h:1,nats://u:hush@i:1', maxTime: '90m' };
  const loaded = tree(t).load({ flags });
  t.deepEqual(originOf(loaded, 'server').value, ['nats://***@h:1', 'nats://***@i:1']);
  t.is(originOf(loaded, 'maxTime').value, '1h30m');
  const seed = `SU${'A'.repeat(56)}`;
  for (const hidden of [{ token: 'hush' }, { user: 'ada', password: 'hush' }, { nkey: seed }]) {
    const text = JSON.stringify(tree(t).load({ flags: hidden }).origins);
    t.notRegex(text, /hush|SUAAA/);
    t.regex(text, /"\*\*\*"/);
  }
});

const wrong: readonly (readonly [string, Record<string, unknown>, RegExp])[] = [
  [
    'a text for a number',
    { threads: 'many' },
    /threads from .*jugq\.config\.json is wrong: expected a whole number from 1, got "many"/,
  ],
  ['a fraction', { threads: 1.5 }, /expected a whole number from 1, got 1\.5/],
  ['replicas that no cluster has', { replicas: 2 }, /replicas .* expected 1, 3 or 5, got 2/],
  [
    'a duration without a unit',
    { ackWait: 15 },
    /ackWait .* expected a duration such as 30s or 10m, got "15"/,
  ],
  [
    'a duration that is too short',
    { lease: '5ms' },
    /lease .* expected a duration from 1s to .*, got "5ms"/,
  ],
  [
    'an object for a list',
    { queues: {} },
    /queues .* expected a list of texts, or one text with commas, got \{\}/,
  ],
  ['a queue with a dot', { queues: 'a.b' }, /queues .* expected names of letters, .*got "a\.b"/],
  [
    'a web address',
    { server: 'ws://h:1' },
    /server .* expected a server such as nats:.*got "ws:.*WebSockets/,
  ],
  [
    'a word for a yes or no',
    { tlsFirst: 'maybe' },
    /tlsFirst .* expected true or false, got "maybe"/,
  ],
  ['a number for a path', { stopFile: 7 }, /stopFile .* expected text, got 7/],
  ['a secret that is no text', { token: [12345] }, /token .* expected text, got "object"/],
  [
    'a slip in a key',
    { thraeds: 3 },
    /expected only settings in .*jugq\.config\.json, got "thraeds": did you mean threads\?/,
  ],
  ['a key that is nothing like ours', { colour: 3 }, /got "colour": one of server, context, /],
];

for (const [what, content, message] of wrong) {
  test(`settings file with ${what}: refused, with the place and what was expected`, (t) => {
    refused(t, () => tree(t, { 'repo/jugq.config.json': content }).load(), message);
  });
}

test('settings file that is no JSON, or no object: refused, naming it', (t) => {
  refused(
    t,
    () => tree(t, { 'repo/jugq.config.json': '{ a: 1 }' }).load(),
    /expected JSON in .*jugq\.config\.json/,
  );
  refused(
    t,
    () => tree(t, { 'repo/jugq.config.json': '[]' }).load(),
    /expected a JSON object in .*jugq\.config\.json/,
  );
  refused(
    t,
    () => tree(t, { 'repo/package.json': { jugq: 3 } }).load(),
    /expected the key jugq of .* to be an object, got 3/,
  );
});

test('a secret in a wrong address: not repeated', (t) => {
  const error = t.throws(() => tree(t).load({ env: { NATS_URL: 'http://ada:hush@h:1' } }));
  t.regex(error.message, /server from NATS_URL is wrong: .*got "http:\/\/\*\*\*@h:1"/);
});

test('flags that are no settings: refused with the nearest name', (t) => {
  const flags = { sever: 'h:1' } as SettingFlags;
  refused(t, () => tree(t).load({ flags }), /got "sever": did you mean server\?/);
});

testProp(
  'settings: whole numbers from 1, as text or as a number: the same value',
  [fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })],
  (t, count) => {
    const load = (maxTasks: string | number): number | undefined =>
      loadSettings({ flags: { maxTasks }, env: { HOME: tmpdir() }, cwd: tmpdir() }).settings
        .maxTasks;
    t.is(load(count), count);
    t.is(load(count.toString()), count);
  },
);
