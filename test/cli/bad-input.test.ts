/** What a user does wrong, and what is wrong with their server: one clear error each, and the right exit status. */
import test, { type ExecutionContext } from 'ava';
import { connect } from 'nats';
import { userDirectory, type Finished, type UserDirectory } from '../kit/cli.ts';
import { eventually } from '../kit/eventually.ts';
import { projectOn } from '../kit/jugfiles.ts';
import {
  oldTestServers,
  startServer,
  type TestServer,
  type TestServerOptions,
} from '../kit/servers.ts';

// Before the first test: all have to be declared in one go.
const tooOld = await oldTestServers();
let server: TestServer;
let user: UserDirectory;

test.before(async () => {
  server = await startServer();
  user = await projectOn(server, 'stages');
});

test.after.always(async () => {
  await user[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** Six results of some size. */
const large = `import { task } from 'jugq';
const large = task(function large(i: number): string {
  return i.toString().repeat(50_000);
});
export const all = [1, 2, 3, 4, 5, 6].map((i) => large(i));
`;

/** Asserts the status, that nothing is on stdout, that there is one error, and no stack of ours. */
function refused(
  t: ExecutionContext,
  { stdout, stderr, status }: Finished,
  expected: number,
): void {
  t.is(status, expected, stderr);
  t.is(stdout, '');
  t.is(stderr.match(/^error: /gm)?.length, 1, stderr);
  t.true(stderr.endsWith('\n'));
  t.notRegex(stderr, /(dist|core|broker|worker|cli)\/[\w-]+\.[jt]s|node:|node_modules|bug of jugq/);
}

/** Plans a jugfile with this text: what it is told, without `error: ` and the signs of life of a slow machine. */
async function planned(t: ExecutionContext, text: string): Promise<string> {
  await user.write('bad.ts', text);
  const finished = await user.run('plan', 'bad.ts');
  refused(t, finished, 2);
  return finished.stderr.replaceAll(/^planning: 0 tasks so far\n/gm, '').replace(/^error: /, '');
}

test.serial('no such jugfile: 2, with its name', async (t) => {
  for (const command of ['run', 'plan', 'status']) {
    const finished = await user.run(command, 'nosuch.ts');
    refused(t, finished, 2);
    t.is(finished.stderr, 'error: no such jugfile: nosuch.ts: check the path\n');
  }
});

test.serial('a syntax error: file, line and column, and the source line', async (t) => {
  const told = await planned(t, `import { task } from 'jugq';\nexport const x = task(;\n`);
  t.regex(told, /\nbad\.ts:2:23: Unexpected ";"\n {4}export const x = task\(;\n {26}\^\n$/);
});

test.serial('an import that leads nowhere: its place and what to do', async (t) => {
  const told = await planned(
    t,
    `import x from './lib.ts';\nimport y from 'nosuchpackage';\nx(y);\n`,
  );
  t.regex(told, /\nbad\.ts:1:15: no such module "\.\/lib\.ts": check the path\n/);
  t.regex(
    told,
    /\nbad\.ts:2:15: package nosuchpackage is not installed: npm install nosuchpackage\n/,
  );
});

test.serial('an exception while planning: its message and the lines of the jugfile', async (t) => {
  const told = await planned(
    t,
    `function read(name: string): never {\n  throw new TypeError('no ' + name);\n}\nread('luck');\n`,
  );
  t.regex(
    told,
    /^planning bad\.ts: TypeError: no luck\n {4}at read \(\S*bad\.ts:2:9\)\n {4}at \S*bad\.ts:4:1\n$/,
  );
});

test.serial('an exception in the plan function, after an await: the same', async (t) => {
  const told = await planned(
    t,
    `export default async function plan() {\n  await null;\n  throw new Error('too late');\n}\n`,
  );
  t.regex(told, /^planning bad\.ts: Error: too late\n {4}at (async )?plan \(\S*bad\.ts:3:9\)\n$/);
});

test.serial('a jugfile that ends its process or waits for ever: said so', async (t) => {
  t.regex(await planned(t, 'process.exit(4);\n'), /it ended its process with status 4/);
  t.regex(
    await planned(t, 'await new Promise(() => {});\n'),
    /waits for something that never comes/,
  );
});

test.serial('a function without a name: its place, and how to name it', async (t) => {
  const told = await planned(
    t,
    `import { task } from 'jugq';\nconst f = task((x: number) => x);\nf(1);\n`,
  );
  t.regex(told, /^planning bad\.ts: a function without a name cannot be a task function: /);
  t.is(told.match(/bad\.ts:2:11/g)?.length, 1, told);
  t.regex(told, /task function: bad\.ts:2:11: write/);
  t.regex(told, /write task\(function name\(…\)/);
});

test.serial('two functions of one name: both places', async (t) => {
  const told = await planned(
    t,
    `import { task } from 'jugq';
const one = task('same', (x: number) => x);
const two = task('same', (x: number) => x + 1);
one(two(1));
`,
  );
  t.regex(told, /two different functions are both named same: bad\.ts:2:13 and bad\.ts:3:13: /);
  t.regex(told, /rename one, or give it a name with task\('other-name', …\)/);
});

test.serial('an argument that cannot be hashed: the path in the argument', async (t) => {
  const told = await planned(
    t,
    `import { task } from 'jugq';
const f = task(function f(x: unknown): unknown {
  return x;
});
f({ options: [1, { key: Symbol('s') }] });
`,
  );
  t.regex(told, /a symbol cannot be hashed: argument 1\.options\[1\]\.key of function f: /);
  t.regex(told, /\n {4}at \S*bad\.ts:5:1\n$/);
});

test.serial('an argument with a cycle, a class instance, another function: the path', async (t) => {
  const jugfile = (argument: string): string =>
    `import { task } from 'jugq';
const f = task(function f(_one: number, x: unknown): unknown {
  return x;
});
class Point {}
const loop: Record<string, unknown> = {};
loop['self'] = { loop };
f(1, ${argument});
new Point();
`;
  t.regex(await planned(t, jugfile('loop')), /a cycle cannot be hashed: argument 2\.self\.loop of/);
  t.regex(await planned(t, jugfile('[new Point()]')), /argument 2\[0\] of function f: .*hashKey/);
  t.regex(await planned(t, jugfile('{ by: [new Point()] }')), /at \S*bad\.ts:8:1\n$/);
  t.regex(await planned(t, jugfile('{ by: () => 1 }')), /argument 2\.by of function f: /);
});

test.serial('a task used as a value: what was done to it, where, and what to do', async (t) => {
  const jugfile = (use: string): string =>
    `import { task } from 'jugq';
const f = task(function f(x: number): number[] {
  return [x];
});
const t: any = f(1);
${use};
`;
  for (const [use, said] of [
    ['export const x = [...t]', 'iterated'],
    ['export const x = t + 1', 'used in an expression or a text'],
    ['export const x = `${t}`', 'used in an expression or a text'],
    ['export const x = JSON.stringify({ t })', 'turned into JSON'],
    ['export const x = t.length', 'asked for its property "length"'],
  ] as const) {
    const told = await planned(t, jugfile(use));
    t.true(told.startsWith(`planning bad.ts: a task of f was ${said}`), told);
    t.regex(told, /pass it to a task function, which gets the value.*\n {4}at \S*bad\.ts:6:\d+\n$/);
  }
});

test.serial('a result that cannot be stored: the task fails, with the path', async (t) => {
  await user.write(
    'unstorable.ts',
    `import { task } from 'jugq';
const f = task(function f(): unknown {
  return { ok: 1, list: [1, () => 2] };
});
export const x = f();
`,
  );
  const { status, stdout, stderr } = await user.run('run', 'unstorable.ts');
  t.is(status, 1);
  t.is(stdout, '');
  t.regex(
    stderr,
    /✗ f\.[a-z2-7]{32}\n {2}VALUE_NOT_STORABLE: .*: result\.list\[1\]: use data instead/,
  );
});

test.serial('an unknown export: those that there are', async (t) => {
  const finished = await user.run('get', 'jugfile.ts', 'vaules');
  refused(t, finished, 2);
  t.is(finished.stderr, 'error: jugfile.ts has no export vaules: it exports values\n');
});

test.serial('a jugfile without an export: asks for its name', async (t) => {
  const finished = await user.run('get', 'jugfile.ts');
  refused(t, finished, 2);
  t.regex(
    finished.stderr,
    /jugfile\.ts is a file: name the export to print: jugq get jugfile\.ts <e/,
  );
});

test.serial('runs that are not there or not one: 2, with what to do', async (t) => {
  await using other = await projectOn(server, 'stages');
  const none = await other.run('wait');
  refused(t, none, 2);
  t.regex(none.stderr, /^error: project p\d+ has no runs: plan one with jugq plan\n$/);
  await other.run('plan', 'jugfile.ts');
  await other.run('plan', 'jugfile.ts');
  const ambiguous = await other.run('cancel', '01');
  refused(t, ambiguous, 2);
  t.regex(ambiguous.stderr, /^error: 01 could be any of \w{26}, \w{26}: give more of it\n$/);
  const unknown = await other.run('wait', 'ZZ');
  refused(t, unknown, 2);
  t.is(unknown.stderr, 'error: no run begins with ZZ: see jugq status --all\n');
  const nothing = await other.run('cancel', 'ZZ');
  refused(t, nothing, 2);
  t.regex(nothing.stderr, /^error: no run and no task of the active runs matches ZZ: see jugq /);
});

test.serial('a wrong command line: 2, what is wrong and where to read on', async (t) => {
  const cases = {
    statu: 'there is no command "statu" (did you mean jugq status?): see jugq --help',
    'jugfile.ts':
      'there is no command "jugfile.ts" (did you mean jugq run jugfile.ts?): see jugq --help',
    'help nosuch': 'there is no command "nosuch": see jugq --help',
    run: 'something is missing: jugq run <jugfile> [arguments…]: see jugq run --help',
    'run --nope jugfile.ts': 'unsupported option name ("--nope"): see jugq run --help',
    'wait --timeout abc': '--timeout: expected a duration such as 30s or 10m, got "abc"',
    'get jugfile.ts values --format yaml': '--format: expected json, inspect or cbor, got yaml',
    'server --sync never': '--sync: expected second or always, got never',
  };
  for (const [line, said] of Object.entries(cases)) {
    const finished = await user.run(...line.split(' '));
    refused(t, finished, 2);
    t.is(finished.stderr, `error: ${said}\n`);
  }
  for (const line of [
    'worker -j 0',
    'plan --project a.b jugfile.ts',
    'run --replicas 2 jugfile.ts',
  ]) {
    const finished = await user.run(...line.split(' '));
    refused(t, finished, 2);
    t.regex(finished.stderr, /^error: the setting \w+ from flag -{1,2}\w+ is wrong: expected /);
  }
});

test.serial('help and version: on stdout, exit status 0', async (t) => {
  for (const line of [[], ['--help'], ['help']]) {
    const { status, stdout, stderr } = await user.run(...line);
    t.is(status, 0, stderr);
    t.is(stderr, '');
    t.regex(stdout, /^ {2}jugq worker +execute tasks until told to stop$/m);
  }
  for (const line of [
    ['get', '--help'],
    ['help', 'get'],
    ['get', '-h'],
  ]) {
    const { status, stdout } = await user.run(...line);
    t.is(status, 0);
    t.regex(stdout, /^ {2}--server=… +address of the NATS server/m);
    t.regex(stdout, /\$ jugq get jugfile\.ts best -- --seed=2/);
  }
  const version = await user.run('--version');
  t.regex(version.stdout, /^\d+\.\d+\.\d+\n$/);
  t.is(version.status, 0);
});

/** What `plan` says to a server that is not as it should be. */
async function planOn(
  options: TestServerOptions,
  ...flags: readonly string[]
): Promise<Finished & { readonly port: number }> {
  await using wrong = await startServer(options);
  await using other = await projectOn(wrong, 'stages');
  const finished = await other.run('plan', ...flags, 'jugfile.ts');
  return { ...finished, port: wrong.port };
}

/** A server with so much room for everything that it stores, which is under this directory. */
function withSpace({ path }: UserDirectory, maxFileStore: string): TestServerOptions {
  const store = JSON.stringify(path);
  return {
    jetStream: false,
    config: `jetstream { store_dir: ${store}, max_file_store: ${maxFileStore} }`,
  };
}

test.serial('no server at an address: 3, naming the address and where it is from', async (t) => {
  const flagged = await user.run('status', '--server', 'nats://127.0.0.1:1');
  refused(t, flagged, 3);
  t.regex(flagged.stderr, /nats:\/\/127\.0\.0\.1:1 \(connection refused\), named by flag --server/);
  await using other = await userDirectory({}, { NATS_URL: 'nats://127.0.0.1:1' });
  const named = await other.run('worker');
  refused(t, named, 3);
  t.regex(named.stderr, /named by NATS_URL/);
});

test.serial('a wrong token, or none: 3, and the token is not shown', async (t) => {
  const wrong = await planOn({ token: 'sesame' }, '--token', 'open-please');
  refused(t, wrong, 3);
  t.regex(wrong.stderr, /\(refused a token\).* check what flag --token names\n$/);
  t.false(wrong.stderr.includes('open-please'));
  const none = await planOn({ token: 'sesame' });
  refused(t, none, 3);
  t.regex(none.stderr, /\(refused no login\).*: name a login with --creds, --nkey, --token/);
});

test.serial('JetStream is off: 3, and how to turn it on', async (t) => {
  const finished = await planOn({ jetStream: false });
  refused(t, finished, 3);
  t.regex(
    finished.stderr,
    /^error: JetStream is not enabled on the NATS server .*"nats-server -js"/,
  );
});

for (const { path, version } of tooOld) {
  test.serial(`server ${version} is too old: 3, with the version to have`, async (t) => {
    const finished = await planOn({ binary: path });
    refused(t, finished, 3);
    t.regex(finished.stderr, /is too old: expected version 2\.10\.23 or later, got /);
  });
}

test.serial('no room for streams on the server: 1, one error', async (t) => {
  await using place = await userDirectory({});
  const finished = await planOn(withSpace(place, '1'));
  refused(t, finished, 1);
  t.regex(finished.stderr, /insufficient resources .*max_file_store of the server\n$/);
});

test.serial('the results are full (max_bytes): said, and the run goes on with room', async (t) => {
  await using other = await projectOn(server, 'stages', { JUGQ_PROJECT: 'full' });
  await other.write('large.ts', large);
  await other.run('status');
  const connection = await connect({ servers: server.url });
  try {
    const manager = await connection.jetstreamManager();
    const limit = async (max_bytes: number): Promise<void> => {
      const { config } = await manager.streams.info('KV_jugq-full-results');
      await manager.streams.update(config.name, { ...config, max_bytes });
    };
    await limit(120_000);
    const run = other.start('run', 'large.ts', '-j1');
    await run.printed(/trouble: the server does not take results: .*space|maximum bytes/);
    await eventually('status to say so', async () =>
      /^! .*does not take results/m.test((await other.run('status')).stdout),
    );
    await limit(-1);
    const { status: ended, stderr } = await run.finished;
    t.is(ended, 0, stderr);
    t.regex(stderr, /all is well again\n/);
    t.regex(stderr, /6 tasks: 6 executed/);
  } finally {
    await connection.close();
  }
});

test.serial(
  'the disk limit is reached: run and status say so, plan ends with 1, one interrupt ends run',
  async (t) => {
    await using place = await userDirectory({});
    await using small = await startServer(withSpace(place, '150KB'));
    await using other = await projectOn(small, 'stages');
    await other.write('large.ts', large);
    const run = other.start('run', 'large.ts', '-j1');
    await run.printed('trouble: the server does not take results');
    const planned = await other.run('plan', 'large.ts', 'again');
    refused(t, planned, 1);
    t.regex(planned.stderr, /insufficient resources .*max_file_store of the server\n$/);
    const { stdout } = await other.run('status');
    t.regex(stdout, /^! .*insufficient resources .*max_file_store of the server$/m);
    run.process.kill('SIGINT');
    const { status, stderr } = await run.finished;
    t.is(status, 130, stderr);
    t.regex(stderr, /the server had no room for the results of \d parcels?: their tasks run again/);
  },
);
