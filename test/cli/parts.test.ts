/** Parts of results, map, reduce, and what makes two calls one task, as a user sees them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

interface Ended {
  readonly tasks: number;
  readonly executed: number;
}
interface Totals {
  readonly totals: Record<string, number>;
  readonly functions: Record<string, Record<string, number>>;
}

async function exported(user: UserDirectory, name: string): Promise<unknown> {
  const { status, stdout, stderr } = await user.run('get', 'jugfile.ts', name);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function jugfile(text: string): Promise<UserDirectory> {
  const user = await projectOn(server, 'nothing');
  await user.write('jugfile.ts', text);
  return user;
}

function run(user: UserDirectory, ...args: string[]): Promise<Ended> {
  return user.json<Ended>('run', 'jugfile.ts', '--json', ...args);
}

test.serial('parts: three tasks are stored, the parts are taken where they are used', async (t) => {
  await using user = await projectOn(server, 'parts');
  t.is((await user.run('plan', 'jugfile.ts')).status, 0);
  const { functions } = await user.json<Totals>('status', '--json');
  t.like(functions, { double: { ready: 1 }, sum2: { ready: 0, waiting: 2 } });
  t.like(await run(user), { tasks: 3, executed: 3 });
  const names = ['t0', 't2', 's', 'a', 'b', 'final'];
  const values: unknown[] = [];
  for (const name of names) values.push(await exported(user, name));
  t.deepEqual(values, [0, 4, 4, 5, 6, 11]);
  t.deepEqual(await executions(user), ['double', 'sum2 0 4', 'sum2 5 6']);
});

test.serial('split: items of a result; equal calls are one task', async (t) => {
  await using user = await projectOn(server, 'split');
  t.like(await run(user), { tasks: 3, executed: 3 });
  t.deepEqual(await exported(user, 'items'), [0, 2, 4]);
  t.deepEqual(await exported(user, 'f2'), [0, 4]);
  t.deepEqual(await exported(user, 'f3'), [4, 6, 8]);
  t.deepEqual(await exported(user, 'same'), [0, 2, 4]);
  t.is((await executions(user)).length, 3);
});

test.serial('split: invalidated in the shell, exactly what was made of it goes', async (t) => {
  await using user = await projectOn(server, 'split');
  await run(user);
  const program = join(user.path, 'node_modules', 'jugq', 'dist', 'cli', 'main.js');
  const child = spawn(process.execPath, [program, 'shell', 'jugfile.ts'], {
    cwd: user.path,
    env: user.env,
    stdio: 'pipe',
  });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stdin.end('(await invalidate(t.id)).results\nawait value(f3)\n');
  await once(child, 'close');
  t.is(stdout, '2\n[ 4, 6, 8 ]\n');
  t.like(await run(user), { executed: 2 });
});

test.serial(
  'a picked part: check and wait answer at once; invalidating reaches behind it',
  async (t) => {
    await using user = await jugfile(`import { pick, task } from 'jugq';
    const double = task(function double(xs: number[]): number[] { return xs.map((x) => 2 * x); });
    const vs = double([2, 4]);
    const other = task(function other(): number { return 1; });
    export const v02 = double([pick(vs, 0)]);
    export const one = other();`);
    await run(user);
    t.is((await user.run('check', 'jugfile.ts')).status, 0);
    t.is((await user.run('wait')).status, 0);
    t.deepEqual(await exported(user, 'v02'), [8]);
    t.is((await user.run('invalidate', '=double', '--yes')).status, 0);
    t.like(await run(user), { tasks: 3, executed: 2 });
  },
);

test.serial('barrier after map: 5 tasks, and a product of what they gave', async (t) => {
  await using user = await jugfile(`import { barrier, map, task, value } from 'jugq';
    const double = task(function double(x: number): number { return 2 * x; });
    const two = map(double, Array.from({ length: 20 }, (_, x) => x));
    await barrier();
    export const product = (await value(two)).reduce((a, b) => a * b, 1);`);
  t.like(await run(user), { tasks: 5, executed: 5 });
  t.is(await exported(user, 'product'), 0);
});

test.serial('value: planning waits for one task, and computes with it', async (t) => {
  await using user = await jugfile(`import { task, value } from 'jugq';
    const double = task(function double(x: number): number { return 2 * x; });
    const two = await value(double(1));
    export const four = 2 * two;`);
  const planned = await user.run('plan', 'jugfile.ts');
  t.regex(planned.stdout, /planning waits at jugfile\.ts:3/);
  t.like(await run(user), { tasks: 1 });
  t.is(await exported(user, 'four'), 4);
});

const squares = Array.from({ length: 10_000 }, (_, x) => x * x);

test.serial('mapReduce of 10,000 numbers: in 2,500 and 359 tasks', async (t) => {
  await using user = await projectOn(server, 'maps');
  t.like(await run(user, '--', 'reduce-of-map'), { tasks: 2859, executed: 2859 });
  t.is(
    await exported(user, 'total'),
    squares.reduce((a, b) => a + b),
  );
  const { functions } = await user.json<Totals>('status', '--json');
  t.is(functions['square/add/map-reduce']?.['finished'], 2500);
  t.is(functions['add/reduce']?.['finished'], 359);
});

test.serial('map of 10,000 numbers: in 2,500 tasks, equal element by element', async (t) => {
  await using user = await projectOn(server, 'maps');
  t.like(await run(user, '--', 'map'), { tasks: 2500, executed: 2500 });
  t.deepEqual(await exported(user, 'squares'), squares);
});

test.serial('reduce, starMap, and map with any chunk: as the loops give', async (t) => {
  await using user = await projectOn(server, 'maps');
  await run(user, '--', 'reduce');
  t.is(await exported(user, 'total'), 8128);
  await run(user, '--', 'pairs');
  t.deepEqual(
    await exported(user, 'sums'),
    Array.from({ length: 100 }, (_, a) => 2 * a),
  );
  await run(user, '--', 'chunks');
  const all = (await exported(user, 'all')) as number[][];
  t.is(all.length, 7);
  for (const each of all) {
    t.deepEqual(
      each,
      Array.from({ length: 100 }, (_, x) => 2 * x),
    );
  }
});

test.serial('mapReduce with task functions: 3 tasks and 1', async (t) => {
  await using user = await projectOn(server, 'maps');
  t.like(await run(user, '--', 'task-functions'), { tasks: 4, executed: 4 });
  t.is(await exported(user, 'total'), 90);
});

test.serial('nothing to map or reduce: no task; [] or the initial value', async (t) => {
  await using user = await projectOn(server, 'maps');
  t.like(await run(user, '--', 'empty'), { tasks: 1 });
  t.deepEqual(await exported(user, 'none'), []);
  t.deepEqual(await exported(user, 'nothing'), []);
  t.is(await exported(user, 'initial'), 7);
  t.deepEqual(await exported(user, 'taken'), [[], 7]);
});

test.serial(
  'what differs in anything that counts is another task, what does not is the same',
  async (t) => {
    await using user = await jugfile(`import { derive, noHash, task } from 'jugq';
    const take = (name: string) => task(name, (...args: unknown[]): unknown => args.length);
    const inc = (x: number): number => x + 1;
    const dec = (x: number): number => x - 1;
    const one = task('one', (): number => 1)();
    const values = take('values'); values(0); values(1);
    take('functions-a')(0); take('functions-b')(0);
    const sets = take('sets'); sets(new Set([1, 2, 3])); sets([1, 2, 3]);
    const uncounted = take('uncounted'); uncounted(noHash(3)); uncounted(noHash(7));
    const brackets = take('brackets');
    brackets([1, 2]); brackets([1], 2); brackets([[1], 2]); brackets([[1, 2]]);
    const derived = take('derived'); derived(derive(one, inc)); derived(derive(one, dec));
    const keys = take('keys'); keys({ a: 1, b: [2] }); keys({ b: [2], a: 1 });`);
    const { functions } = await user.json<{ functions: Record<string, number> }>(
      ...['count', 'jugfile.ts', '--json'],
    );
    t.deepEqual(functions, {
      ...{ brackets: 4, derived: 2, 'functions-a': 1, 'functions-b': 1, keys: 1, one: 1, sets: 2 },
      ...{ uncounted: 1, values: 2 },
    });
  },
);

test.serial('equal plans of two processes, keys in another order: the same tasks', async (t) => {
  const text = (argument: string): string => `import { task } from 'jugq';
    const f = task(function f(o: unknown): string { return JSON.stringify(o); });
    export const x = f(${argument});`;
  await using user = await jugfile(text("{ a: 1, b: new Map([['x', 1], ['y', 2]]) }"));
  t.like(await run(user), { executed: 1 });
  await user.write('jugfile.ts', text("{ b: new Map([['y', 2], ['x', 1]]), a: 1 }"));
  t.like(await run(user), { tasks: 1, executed: 0 });
});

test.serial(
  'a package with a function of the same name: the one of the jugfile is meant',
  async (t) => {
    const own = `import { map } from 'jugq';
    import { helper, inc as theirs } from 'lib';
    function inc(x: number): number { return x + 1; }
    export const known = [helper(1), theirs(1)];
    export const mine = map(inc, [9]);`;
    await using user = await jugfile(`${own}\nexport const xs = map(inc, [1, 2, 3]);`);
    await user.write(
      'node_modules/lib/package.json',
      '{ "name": "lib", "type": "module", "main": "lib.js" }',
    );
    await user.write(
      'node_modules/lib/lib.js',
      'export function inc(x) { return x + 100; }\nexport function helper(x) { return inc(x); }\n',
    );
    t.like(await run(user), { tasks: 2, executed: 2 });
    t.deepEqual(await exported(user, 'xs'), [2, 3, 4]);
    await user.write('jugfile.ts', `${own}\nexport const xs = map(theirs, [1, 2, 3]);`);
    const { status, stderr } = await user.run('plan', 'jugfile.ts');
    t.is(status, 2);
    t.regex(stderr, /map\(\): no worker can find the function inc by its name: jugfile\.ts:6/);
  },
);

test.serial(
  'a compound that has waited for a value: it goes when that is invalidated',
  async (t) => {
    await using user = await jugfile(`import { compound, task, value } from 'jugq';
    const measure = task(function measure(x: number): number { return x; });
    const double = task(function double(x: number): number { return 2 * x; });
    const twice = compound(async function twice(x: number) {
      const known = await value(measure(x));
      return [double(known), known];
    });
    export const both = twice(3);`);
    t.like(await run(user), { tasks: 3 });
    t.deepEqual(await exported(user, 'both'), [6, 3]);
    const gone = await user.json<Totals>('invalidate', '=measure', '--yes', '--json');
    t.deepEqual(Object.keys(gone.functions), ['measure', 'twice']);
    t.like(await run(user), { tasks: 3, executed: 2 });
  },
);

test.serial(
  "chunk: 'auto': by what items took before; a list that grows keeps its chunks but the last",
  async (t) => {
    await using user = await jugfile(`import { map } from 'jugq';
    function inc(x: number): number { return x + 1; }
    export default async function plan([count = '8']: string[]) {
      const xs = Array.from({ length: Number(count) }, (_, x) => x);
      return { list: await map(inc, xs, { chunk: 'auto' }) };
    }`);
    t.like(await run(user, '--', '8'), { tasks: 2, executed: 2 }, 'nothing is known yet');
    t.like(await run(user, '--', '8'), { tasks: 2, executed: 0 }, 'chosen once');
    // 8 of 4 in the first stretch, then 2, 4, 7, 13 and 7 of up to 20.
    t.like(await run(user, '--', '640'), { tasks: 41, executed: 39 });
    t.like(await run(user, '--', '645'), { tasks: 41, executed: 1 }, 'the last chunk');
    t.like(await run(user, '--', '661'), { tasks: 42, executed: 2 });
    const list = (await exported(user, 'list')) as number[];
    t.deepEqual(
      list,
      Array.from({ length: 661 }, (_, x) => x + 1),
    );
  },
);
