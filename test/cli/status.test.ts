/** `jugq status` as a user types it, for people and for programs. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { statusPage } from '../../cli/status-page.ts';
import { timesOf } from '../../cli/status-scan.ts';
import { noCounts } from '../../core/records.ts';
import { eventually } from '../kit/eventually.ts';
import { executions, projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

interface Status {
  readonly project: string;
  readonly totals: Record<string, number>;
  readonly functions: Record<string, Record<string, number>>;
  readonly runs: readonly { readonly id: string; readonly state: string }[];
  readonly workers: readonly {
    readonly id: string;
    readonly host: string;
    readonly pid: number;
    readonly silent: boolean;
  }[];
  readonly notes: readonly string[];
}

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

const none = { failed: 0, blocked: 0, waiting: 0, ready: 0, running: 0, finished: 0 };

test.serial('before any run: says so, and what to do; exit status 0', async (t) => {
  await using user = await projectOn(server, 'stages', { JUGQ_PROJECT: 'fresh' });
  const { status, stdout, stderr } = await user.run('status');
  t.is(status, 0, stderr);
  t.is(stderr, '');
  t.regex(
    stdout,
    /project fresh has no runs yet: plan a jugfile with jugq plan, or jugq run it\n$/,
  );
  const answer = await user.json<Status>('status', '--json');
  t.like(answer, { project: 'fresh', totals: none, functions: {}, runs: [], workers: [] });
});

test.serial('a planned run: counts of each function, and that no worker is there', async (t) => {
  await using user = await projectOn(server, 'stages');
  const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  const { stdout } = await user.run('status');
  t.regex(stdout, /^function +failed +blocked +waiting +ready +running +finished\n/);
  t.regex(stdout, /^double +0 +0 +0 +8 +0 +0$/m);
  t.regex(stdout, /^plus1 +0 +0 +8 +0 +0 +0$/m);
  t.regex(stdout, /^sum2 +0 +0 +16 +0 +0 +0$/m);
  t.regex(stdout, /^total +0 +0 +24 +8 +0 +0$/m);
  t.regex(stdout, new RegExp(`^run ${run}  running  jugfile\\.ts  planned 20`, 'm'));
  t.regex(stdout, /^! no worker is there: start one with jugq worker$/m);
});

test.serial('--json of a run in the middle: totals, functions, runs and workers', async (t) => {
  await using user = await projectOn(server, 'gated', { JUGQ_PROJECT: 'middle' });
  const { run } = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
  const worker = user.start('worker', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  const answer = await eventually('the worker to report them', async () => {
    const now = await user.json<Status>('status', '--json');
    return now.totals['running'] === 2 && now;
  });
  const { stdout } = await user.run('status');
  t.deepEqual(Object.keys(answer).toSorted(), [
    ...['functions', 'notes', 'project', 'runs', 'totals', 'workers'],
  ]);
  t.is(answer.project, 'middle');
  t.deepEqual(answer.totals, { ...none, waiting: 1, ready: 2, running: 2 });
  t.deepEqual(answer.functions, {
    gated: { ...none, ready: 2, running: 2 },
    sum: { ...none, waiting: 1 },
  });
  t.is(answer.runs.length, 1);
  t.like(answer.runs[0], { id: run, state: 'running' });
  t.is(answer.workers.length, 1);
  t.is(answer.workers[0]?.pid, worker.pid);
  t.truthy(answer.workers[0]?.host);
  t.deepEqual(answer.notes, []);
  t.regex(stdout, /^worker \S+ {2}2 of 2 threads busy {2}queues default$/m);
  await user.write('open', '');
  worker.process.kill('SIGTERM');
  await worker.finished;
});

test.serial(
  'when all is over: the newest run and its failures; --all and --run: others',
  async (t) => {
    await using user = await projectOn(server, 'keep-going');
    const first = await user.json<{ run: string }>('run', '--json', 'jugfile.ts');
    const second = await user.json<{ run: string }>('run', '--json', 'jugfile.ts');
    const answer = await user.json<Status>('status', '--json');
    t.deepEqual(
      answer.runs.map((each) => [each.id, each.state]),
      [[second.run, 'failed']],
    );
    t.deepEqual(answer.totals, { ...none, failed: 3, blocked: 3, finished: 14 });
    const all = await user.json<Status>('status', '--all', '--json');
    t.deepEqual(
      all.runs.map((each) => each.id),
      [first.run, second.run],
    );
    const one = await user.json<Status>('status', '--run', first.run.toLowerCase(), '--json');
    t.deepEqual(
      one.runs.map((each) => each.id),
      [first.run],
    );
  },
);

test.serial(
  'with a jugfile: counts of its own tasks, with the newest arguments or others',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    await user.run('run', 'jugfile.ts', '2');
    const newest = await user.json<Status>('status', 'jugfile.ts', '--json');
    t.deepEqual(newest.totals, { ...none, finished: 3 });
    const other = await user.json<Status>('status', '--json', 'jugfile.ts', '4');
    t.deepEqual(other.functions, {
      square: { ...none, ready: 2, finished: 2 },
      sum: { ...none, waiting: 1 },
    });
  },
);

test.serial(
  '--watch --json: a line again and again until interrupted, exit status 0',
  async (t) => {
    await using user = await projectOn(server, 'stages');
    await user.run('plan', 'jugfile.ts');
    const watching = user.start('status', '--watch', '--json');
    await watching.printed(/"ready":8.*\n.*"ready":8.*\n/);
    await user.run('worker', '--exit-when-done');
    await watching.printed('"finished":32');
    watching.process.kill('SIGINT');
    const { status, stdout } = await watching.finished;
    t.is(status, 0);
    for (const line of stdout.trimEnd().split('\n')) {
      t.truthy((JSON.parse(line) as Status).totals);
    }
  },
);

test.serial('a worker that was killed: silent after a while, and busy with nothing', async (t) => {
  await using user = await projectOn(server, 'gated');
  await user.run('plan', 'jugfile.ts');
  const worker = user.start('worker', '-j2');
  await eventually('two tasks to run', async () => (await executions(user)).length === 2);
  await eventually('the worker to report them', async () => {
    return (await user.json<Status>('status', '--json')).totals['running'] === 2;
  });
  worker.process.kill('SIGKILL');
  const answer = await eventually('the worker to fall silent', async () => {
    const now = await user.json<Status>('status', '--json');
    return now.workers[0]?.silent === true && now;
  });
  t.is(answer.totals['running'], 0);
  const [first, second, ...others] = answer.notes;
  t.is(first, 'no worker is there: start one with jugq worker');
  t.regex(
    second ?? '',
    /^the dispatcher's lease is held by process \d+ on \S+, which has been silent/,
  );
  t.deepEqual(others, []);
  t.regex((await user.run('status')).stdout, /^worker \S+ {2}silent: killed, asleep or cut off/m);
});

test.serial(
  'a queue with work that no worker takes: named, in status and in progress',
  async (t) => {
    await using user = await projectOn(server, 'queues');
    const planned = user.start('plan', '--wait', 'jugfile.ts');
    const worker = user.start('worker', '-j1');
    const lonely = 'no worker takes the queue gpu: start one with jugq worker --queue gpu';
    await planned.printed(lonely);
    t.true((await user.json<Status>('status', '--json')).notes.includes(lonely));
    await user.run('worker', '--queue', 'gpu', '--max-tasks', '1');
    t.is((await planned.finished).status, 0);
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);

test.serial(
  'a cancelled run: what it did counts, nothing waits; --all leaves it out',
  async (t) => {
    await using user = await projectOn(server, 'stages');
    const first = await user.json<{ run: string }>('plan', '--json', 'jugfile.ts');
    await user.run('cancel', first.run);
    const cancelled = await user.json<Status>('status', '--json');
    t.like(cancelled.runs[0], { id: first.run, state: 'cancelled' });
    t.deepEqual(cancelled.totals, none);
    await user.run('run', 'jugfile.ts');
    const all = await user.json<Status>('status', '--all', '--json');
    t.is(all.runs.length, 2);
    t.deepEqual(all.totals, { ...none, finished: 32 });
  },
);

test.serial('--short and --exit-code: one line; 1 until all is finished, then 0', async (t) => {
  await using user = await projectOn(server, 'stages');
  const empty = await user.run('status', '--short', '--exit-code');
  t.is(empty.stdout, '0 tasks finished\n');
  t.is(empty.status, 0);
  await user.run('plan', 'jugfile.ts');
  const planned = await user.run('status', '--short', '--exit-code');
  t.is(planned.stdout, '0 of 32 tasks finished, 24 waiting, 8 ready\n');
  t.is(planned.status, 1);
  t.is((await user.run('status')).status, 0);
  await user.run('worker', '--exit-when-done');
  const done = await user.run('status', '--short', '--exit-code');
  t.is(done.stdout, '32 tasks finished\n');
  t.is(done.status, 0);
});

test.serial('--times: results, mean, 95th percentile and total of each function', async (t) => {
  await using user = await projectOn(server, 'stages');
  await user.run('run', 'jugfile.ts');
  type Times = Record<string, { results: number; meanMs: number; p95Ms: number; totalMs: number }>;
  const { times } = await user.json<{ times: Times }>('status', '--times', '--json');
  t.deepEqual(
    Object.entries(times).map(([name, { results }]) => [name, results]),
    [
      ['double', 8],
      ['plus1', 8],
      ['sum2', 16],
    ],
  );
  for (const { results, meanMs, p95Ms, totalMs } of Object.values(times)) {
    t.true(totalMs >= p95Ms && p95Ms >= 0);
    t.true(Math.abs(meanMs * results - totalMs) < 1e-6);
  }
  const { stdout } = await user.run('status', '--times');
  t.regex(stdout, /^function +results +mean +p95 +total time\ndouble +8 +\d/m);
});

test.serial('--stale: results that older code of a function made', async (t) => {
  await using user = await projectOn(server, 'nothing');
  const jugfile = (body: string): string =>
    `import { task } from 'jugq';
     const one = task(function one(x: number) { ${body} });
     const two = task(function two(x: number) { return x; });
     export const all = [1, 2, 3].map((x) => two(one(x)));`;
  await user.write('jugfile.ts', jugfile('return x;'));
  await user.run('run', 'jugfile.ts');
  const fresh = await user.json<Status>('status', '--stale', '--json');
  t.like(fresh, { totals: { finished: 6, stale: 0 } });
  await user.write('jugfile.ts', jugfile('return 1 * x;'));
  const mended = await user.json<Status>('status', '--stale', '--json', 'jugfile.ts');
  t.like(mended.functions, { one: { stale: 3 }, two: { stale: 0 } });
  const note = 'one changed since 3 results of it were computed: kept as they are; ';
  const dry = await user.run('plan', 'jugfile.ts', '--dry-run');
  t.true(dry.stdout.includes(note), dry.stdout);
  const planned = await user.run('plan', 'jugfile.ts');
  t.true(planned.stderr.includes(note), planned.stderr);
  t.like(await user.json('plan', 'jugfile.ts', '--json'), { executed: 0, stale: { one: 3 } });
  t.true((await user.run('status')).stdout.includes(note));
  const { stdout } = await user.run('status', '--stale');
  t.regex(stdout, /^function +failed +blocked +waiting +ready +running +finished +stale\n/);
  t.regex(stdout, /^total +0 +0 +0 +0 +0 +6 +3$/m);
});

test.serial('--html: a page that loads itself again, rewritten with --watch', async (t) => {
  await using user = await projectOn(server, 'keep-going', { JUGQ_PROJECT: 'paged' });
  const { status, stdout, stderr } = await user.run('status', '--html', 'page.html');
  t.is(status, 0, stderr);
  t.is(stdout, '');
  const page = (): Promise<string> => readFile(join(user.path, 'page.html'), 'utf8');
  t.regex(await page(), /<meta http-equiv="refresh" content="2">/);
  t.regex(await page(), /No tasks yet/);
  const watching = user.start('status', '--watch', '--html', 'page.html');
  await watching.printed('writing page.html');
  await user.run('run', 'jugfile.ts');
  await eventually('the page to show the end', async () =>
    (await page()).includes('<title>paged: 14 of 20 tasks finished, 3 failed, 3 blocked</title>'),
  );
  t.regex(await page(), /<tr class="function"><td>plus1<\/td><td>0<\/td><td>3<\/td>/);
  watching.process.kill('SIGINT');
  t.is((await watching.finished).status, 0);
  const nowhere = await user.run('status', '--html', 'no/such/folder/page.html');
  t.is(nowhere.status, 2);
  t.regex(nowhere.stderr, /^error: cannot write no\/such\/folder\/page\.html: /);
});

test('a page shows names and notes as they are, and never as HTML', (t) => {
  const note = 'room for "<script>alert(1)</script>" & more';
  const page = statusPage(
    {
      project: 'p',
      totals: { ...noCounts(), ready: 2 },
      functions: { f: { ...noCounts(), ready: 2 } },
      runs: [],
      workers: [],
      notes: [note],
    },
    new Date(0),
  );
  t.true(page.includes('room for &quot;&lt;script&gt;alert(1)&lt;/script&gt;&quot; &amp; more'));
  t.true(page.includes('<time>1970-01-01T00:00:00.000Z</time>'));
});

test('times: mean, nearest-rank 95th percentile and total', (t) => {
  t.deepEqual(timesOf([]), { results: 0, meanMs: 0, p95Ms: 0, totalMs: 0 });
  t.deepEqual(timesOf([7]), { results: 1, meanMs: 7, p95Ms: 7, totalMs: 7 });
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  t.deepEqual(timesOf(hundred), { results: 100, meanMs: 50.5, p95Ms: 95, totalMs: 5050 });
});

test.serial(
  '--stale: a result that two active runs declare is counted once, by the newer code',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    const text = (body: string): string =>
      `import { task } from 'jugq';
     const f = task(function f(x: number): number { return ${body}; });
     const wait = task(function wait(x: number, queue: string): number { return x; }, { queue: 'nobody' });
     export const all = [f(1), f(2), wait(1, '${body}')];`;
    await user.write('one.ts', text('x'));
    await user.run('plan', 'one.ts');
    await user.run('worker', '--max-tasks', '2');
    await user.write('one.ts', text('x + 1'));
    await user.run('plan', 'one.ts');
    await user.write('two.ts', text('x + 2'));
    await user.run('plan', 'two.ts');
    const status = await user.json<{ runs: unknown[]; totals: { stale: number } }>(
      ...['status', '--stale', '--json'],
    );
    t.is(status.runs.length, 3);
    t.is(status.totals.stale, 2);
  },
);

test.serial(
  'functions called as what every object has: each is counted as any other',
  async (t) => {
    await using user = await projectOn(server, 'nothing');
    const names = ['toString', 'constructor', 'valueOf', 'hasOwnProperty'];
    await user.write(
      'odd.ts',
      `import { task } from 'jugq';
     for (const name of ${JSON.stringify(names)}) {
       const f = task(name, (x: number) => x);
       f(f(1));
     }`,
    );
    await user.write(
      'other.ts',
      `import { task } from 'jugq'; task(function f(x: number) { return x; })(1);`,
    );
    await user.run('plan', 'odd.ts');
    const { stderr } = await user.run('plan', 'other.ts');
    t.notRegex(stderr, /with other code/);
    const { functions } = await user.json<Status>('status', '--json');
    for (const name of names) t.like(functions[name], { waiting: 1, ready: 1, running: 0 }, name);
    const graph = await user.json<{ boxes: unknown[] }>('graph', 'odd.ts', '--json');
    t.deepEqual(
      graph.boxes,
      names.map((name) => ({ lines: [name, '0 of 2 finished'], state: 'ready' })),
    );
    const cancelled = await user.json<{ functions: unknown }>('cancel', ...['=toString', '--json']);
    t.deepEqual(cancelled.functions, { toString: 2 });
  },
);
