/** `jugq get` as a user types it; and results as any other NATS client reads them. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decode } from 'cbor-x';
import test from 'ava';
import { connect } from 'nats';
import type { UserDirectory } from '../kit/cli.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let server: TestServer;
let user: UserDirectory;

test.before(async () => {
  server = await startServer();
  user = await projectOn(server, 'values', { JUGQ_PROJECT: 'got' });
  await user.run('run', 'jugfile.ts');
});

test.after.always(async () => {
  await user[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

test.serial('an export with tasks anywhere in it: their results in their places', async (t) => {
  const { status, stdout, stderr } = await user.run('get', 'jugfile.ts', 'again');
  t.is(status, 0, stderr);
  t.is(stdout, '[2,2,2]\n');
  t.is(stderr, '');
});

test.serial(
  'the beginning of an id: that result; of several: 2, with the candidates',
  async (t) => {
    t.is((await user.run('get', 'many.', '--format', 'inspect')).status, 0);
    const { status, stdout, stderr } = await user.run('get', 'double.');
    t.is(status, 2);
    t.is(stdout, '');
    t.regex(
      stderr,
      /^error: double\. could be any of\n( {2}double\.[a-z2-7]{32}\n){5}give more of it\n$/,
    );
    const ids = stderr.match(/double\.[a-z2-7]{32}/g) ?? [];
    const values = await Promise.all(ids.map((id) => user.json<number>('get', id.slice(0, 20))));
    t.deepEqual(
      values.toSorted((a, b) => a - b),
      [0, 2, 4, 8, 16],
    );
  },
);

test.serial('a result that is not there: 1, nothing on stdout', async (t) => {
  const unknown = await user.run('get', 'nosuch.');
  t.is(unknown.status, 1);
  t.is(unknown.stdout, '');
  t.regex(unknown.stderr, /^error: no result has an id that begins with nosuch\./);
  await using fresh = await projectOn(server, 'stages');
  const missing = await fresh.run('get', 'jugfile.ts', 'values');
  t.is(missing.status, 1);
  t.is(missing.stdout, '');
  t.regex(missing.stderr, /^error: 8 tasks have no result: sum2\.[a-z2-7]{32}, .* and 3 more: run/);
});

test.serial('a result of a task that has failed: says so, and why', async (t) => {
  await using fresh = await projectOn(server, 'keep-going');
  await fresh.write(
    'one.ts',
    `import { task } from 'jugq';
     const half = task(function half(x: number): number { throw new RangeError('odd ' + x); });
     export const result = half(3);`,
  );
  await fresh.run('run', 'one.ts');
  const { status, stderr } = await fresh.run('get', 'one.ts', 'result');
  t.is(status, 1);
  t.regex(
    stderr,
    /^error: half\.\S{32} has no result: it failed: RangeError: odd 3: see jugq failures, mend/,
  );
});

test.serial(
  'not on a terminal: JSON by the documented mapping, and a note on losses',
  async (t) => {
    const { status, stdout, stderr } = await user.run('get', 'jugfile.ts', 'everything');
    t.is(status, 0);
    t.deepEqual(JSON.parse(stdout), {
      map: { a: '1' },
      set: [1, 2],
      date: '1970-01-01T00:00:00.000Z',
      floats: [0.5, 1.5],
      bytes: 'AQID',
      nan: null,
      minusZero: 0,
      absent: null,
      ['__proto__']: 'a key',
    });
    t.regex(stderr, /^note: JSON cannot hold all of this value; --format inspect or cbor can\n$/);
  },
);

test.serial('--format inspect: the value as Node shows it, nothing lost', async (t) => {
  const { stdout, stderr } = await user.run(
    'get',
    'jugfile.ts',
    'everything',
    '--format',
    'inspect',
  );
  t.is(stderr, '');
  t.true(stdout.includes("map: Map(1) { 'a' => 1n }"));
  t.true(stdout.includes('floats: Float32Array(2) [ 0.5, 1.5 ]'));
  t.true(stdout.includes('minusZero: -0'));
  t.true(stdout.includes("['__proto__']: 'a key'"));
  const json = await user.run('get', 'jugfile.ts', 'again', '--json');
  t.is(json.stdout, '[2,2,2]\n');
});

test.serial('--format cbor: the stored bytes, which any CBOR decoder reads', async (t) => {
  const program = new URL('../../dist/cli/main.js', import.meta.url).pathname;
  const child = spawn(process.execPath, [program, 'get', 'jugfile.ts', 'nested', '--format=cbor'], {
    cwd: user.path,
    env: user.env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  t.deepEqual(await once(child, 'close'), [0, null]);
  const value: unknown = decode(Buffer.concat(chunks));
  t.deepEqual(value, { one: 0, two: 2, three: { 0: 2, 1: 4 } });
});

test.serial('any NATS client: the value of a key is the plain CBOR of the result', async (t) => {
  const connection = await connect({ servers: server.url });
  try {
    const results = await connection.jetstream().views.kv('jugq-got-results');
    const keys: string[] = [];
    for await (const key of await results.keys('double.*')) keys.push(key);
    const entries = await Promise.all(keys.map((key) => results.get(key)));
    const values = entries.map(
      (entry) => (entry === null ? undefined : decode(entry.value)) as unknown,
    );
    t.deepEqual(
      values.map(Number).toSorted((a, b) => a - b),
      [0, 2, 4, 8, 16],
    );
  } finally {
    await connection.close();
  }
});

/** What a command prints on a terminal. */
async function onTerminal({ path, env }: UserDirectory, more: NodeJS.ProcessEnv): Promise<string> {
  const command = `${process.execPath} ${program} get jugfile.ts everything`;
  const terminal = { ...env, TERM: 'xterm-256color', ...more };
  const options = { cwd: path, env: terminal };
  const { stdout } = await promisify(execFile)('script', ['-qec', command, '/dev/null'], options);
  return stdout;
}

test.serial('on a terminal: as Node shows it, in colours unless NO_COLOR says no', async (t) => {
  t.true((await onTerminal(user, {})).includes('set: Set(2) { \x1b[33m1\x1b[39m, '));
  t.true((await onTerminal(user, { NO_COLOR: '1' })).includes('set: Set(2) { 1, 2 }'));
});

test.serial('an intermediate result that was dropped: says so, and what to do', async (t) => {
  await using user = await projectOn(server, 'nothing');
  await user.write(
    'jugfile.ts',
    `import { task } from 'jugq';
     const half = task(function half(x: number) { return x / 2; }, { keep: false });
     const whole = task(function whole(x: number) { return 2 * x; });
     export const between = half(6);
     export const end = whole(between);`,
  );
  await user.run('run', 'jugfile.ts');
  t.is(await user.json('get', 'jugfile.ts', 'end'), 6);
  const { status, stderr } = await user.run('get', 'jugfile.ts', 'between');
  t.is(status, 1);
  t.regex(stderr, /has no result.*; results of half are dropped when no task needs them any more/);
});

test.serial('exports of a CommonJS jugfile are found by their names', async (t) => {
  await using user = await projectOn(server, 'nothing');
  await user.write(
    'jugfile.cjs',
    `const { task } = require('jugq');
     exports.five = task(function add(a, b) { return a + b; })(2, 3);`,
  );
  await user.run('run', 'jugfile.cjs');
  t.is(await user.json('get', 'jugfile.cjs', 'five'), 5);
});
