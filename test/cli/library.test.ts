/** `import { connect } from 'jugq'` in a program of the user's. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import type { UserDirectory } from '../kit/cli.ts';
import { projectOn } from '../kit/jugfiles.ts';
import { startServer, type TestServer } from '../kit/servers.ts';

let server: TestServer;

test.before(async () => {
  server = await startServer();
});

test.after.always(() => server[Symbol.asyncDispose]());

/** Runs a program that prints one JSON document, and gives that. */
async function program(user: UserDirectory, body: string): Promise<unknown> {
  await user.write('program.mjs', `import { connect } from 'jugq';\n${body}`);
  const child = spawn(process.execPath, [join(user.path, 'program.mjs')], {
    cwd: user.path,
    env: user.env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [status] = (await once(child, 'close')) as unknown[];
  if (status !== 0) throw new Error(`the program ended with ${String(status)}:\n${stderr}`);
  return JSON.parse(stdout) as unknown;
}

test.serial('load and result: before the run an error that names what is missing', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const seen = await program(
    user,
    `const jug = await connect();
     const { total } = await jug.load('jugfile.ts');
     const error = await jug.result([total]).catch((error) => error);
     console.log(JSON.stringify({
       finished: await jug.isFinished(total), code: error.code, name: error.name, message: error.message,
     }));
     await jug.close();`,
  );
  t.like(seen, { finished: false, code: 'RESULT_MISSING', name: 'JugqError' });
  t.regex(
    (seen as { message: string }).message,
    /^sum\.[a-z2-7]{32} has no result: run its jugfile/,
  );
});

test.serial('check: how far a jugfile is, before and after its run', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const look = `const jug = await connect();
     console.log(JSON.stringify(await jug.check('jugfile.ts')));
     await jug.close();`;
  t.like(await program(user, look), {
    done: false,
    totals: { ready: 3, waiting: 1, finished: 0 },
    functions: { sum: { waiting: 1 } },
  });
  await user.run('run', 'jugfile.ts', '2');
  t.like(await program(user, look), { done: true, totals: { finished: 3 } });
});

test.serial('status: counts, runs, and times where they are asked for', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const { run } = await user.json<{ run: string }>('run', '--json', 'jugfile.ts', '2');
  const seen = await program(
    user,
    `const jug = await connect();
     const { totals, runs, times } = await jug.status();
     const more = await jug.status({ jugfile: 'jugfile.ts', args: ['5'], times: true, stale: true });
     console.log(JSON.stringify({ totals, runs, times, more }));
     await jug.close();`,
  );
  t.like(seen, {
    totals: { finished: 3 },
    runs: [{ id: run, state: 'finished' }],
    more: {
      totals: { finished: 2, ready: 3, waiting: 1, stale: 0 },
      times: { square: { results: 2 } },
    },
  });
  t.false('times' in (seen as object));
});

test.serial('describe: a task of a jugfile, its id, or the beginning of that', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.run('run', 'jugfile.ts', '2');
  const seen = await program(
    user,
    `const jug = await connect();
     const { total } = await jug.load('jugfile.ts');
     const found = [await jug.describe(total), await jug.describe(total.id), await jug.describe('sum')];
     console.log(JSON.stringify({ id: total.id, found }));
     await jug.close();`,
  );
  const { id, found } = seen as { id: string; found: readonly { task: string; state: string }[] };
  t.deepEqual(
    found.map((each) => [each.task, each.state]),
    [1, 2, 3].map(() => [id, 'finished']),
  );
});

test.serial('plan, wait, result: the values of a structure with tasks in it', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const worker = user.start('worker');
  const seen = await program(
    user,
    `const jug = await connect();
     const run = await jug.plan('jugfile.ts', { args: ['4', 'more'] });
     const end = await jug.wait(run);
     const { total, args } = await jug.load('jugfile.ts');
     const values = await jug.result({ total, list: [total, 'as it is'], map: new Map([['a', total]]) });
     const again = await jug.plan('jugfile.ts', { args: ['4'] });
     console.log(JSON.stringify({
       run, end, args, values: { ...values, map: [...values.map] },
       finished: await jug.isFinished([total]), again: { tasks: again.tasks, cached: again.cached },
     }));
     await jug.close();`,
  );
  worker.process.kill('SIGTERM');
  await worker.finished;
  t.like(seen, {
    args: ['4', 'more'],
    values: { total: 14, list: [14, 'as it is'], map: [['a', 14]] },
    finished: true,
    again: { tasks: 5, cached: 5 },
  });
  t.like((seen as { run: object }).run, { tasks: 5, cached: 0 });
  t.like((seen as { end: object }).end, { state: 'finished', executed: 5, failed: 0, blocked: 0 });
});

test.serial('a run that fails: wait returns how it ended; timeoutMs: TIMED_OUT', async (t) => {
  await using user = await projectOn(server, 'keep-going');
  const seen = await program(
    user,
    `const jug = await connect();
     const run = await jug.plan('jugfile.ts');
     const late = await jug.wait(run, { timeoutMs: 300 }).catch((error) => error.code);
     const none = await jug.wait('01ARZ3NDEKTSV4RRFFQ69G5FAV').catch((error) => error.code);
     console.log(JSON.stringify({ late, none, id: run.id }));
     await jug.close();`,
  );
  t.like(seen, { late: 'TIMED_OUT', none: 'UNKNOWN_RUN' });
  await user.run('worker', '--exit-when-done');
  const { id } = seen as { id: string };
  const end = await program(
    user,
    `const jug = await connect();
     console.log(JSON.stringify(await jug.wait(${JSON.stringify(id)})));
     await jug.close();`,
  );
  t.deepEqual(end, { id, state: 'failed', executed: 14, cached: 0, failed: 3, blocked: 3 });
});

test.serial('errors of the jugfile and of the server have their codes, too', async (t) => {
  await using user = await projectOn(server, 'parameters');
  await user.write('broken.ts', 'export const x = ;\n');
  const seen = await program(
    user,
    `const code = (error) => error.code;
     const jug = await connect();
     const missing = await jug.load('nosuch.ts').catch(code);
     const broken = await jug.load('broken.ts').catch(code);
     await jug.close();
     const closed = await connect({ server: 'nats://127.0.0.1:1' }).catch(code);
     const wrong = await connect({ project: 'not a name' }).catch(code);
     console.log(JSON.stringify({ missing, broken, closed, wrong }));`,
  );
  t.deepEqual(seen, {
    missing: 'JUGFILE_NOT_FOUND',
    broken: 'JUGFILE_SYNTAX',
    closed: 'SERVER_UNREACHABLE',
    wrong: 'SETTINGS_INVALID',
  });
});

test.serial('arguments of a wrong kind: an error that names the method', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const told = (await program(
    user,
    `const told = [];
     const tell = (error) => void told.push(error.message);
     await connect('nats://127.0.0.1:1').catch(tell);
     await connect({ server: 'nats://127.0.0.1:1' }).catch(tell);
     const jug = await connect();
     await jug.load().catch(tell);
     await jug.plan(5).catch(tell);
     await jug.pause().catch(tell);
     await jug.wait({}).catch(tell);
     await jug.invalidate().catch(tell);
     for (const threads of [0, -1, NaN, 1.5]) await jug.startWorker({ threads }).catch(tell);
     await jug.startWorker({ thread: 1 }).catch(tell);
     await jug.close();
     console.log(JSON.stringify(told));`,
  )) as string[];
  const ofWorker = 'the setting threads from the option threads of jug.startWorker is wrong';
  const expected = [
    "connect: expected an object of options, got 'nats",
    'cannot use the NATS server nats://127.0.0.1:1 (connection refused), named by the option server of connect',
    'the jugfile: expected a text, got nothing',
    'the jugfile: expected a text, got 5',
    'jug.pause: the run: expected a text, got nothing',
    'jug.wait: the run: expected a text, got {}',
    'jug.invalidate: a pattern: expected a text, got nothing',
    ...Array.from({ length: 4 }, () => `${ofWorker}: expected a whole number from 1`),
    'jug.startWorker: there is no option thread: did you mean threads?',
  ];
  t.is(told.length, expected.length, told.join('\n'));
  for (const [at, text] of expected.entries()) t.true(told[at]?.startsWith(text), told[at]);
});

test.serial('await using closes the connection, and the program ends by itself', async (t) => {
  await using user = await projectOn(server, 'parameters');
  const seen = await program(
    user,
    `const jug = await connect();
     await jug[Symbol.asyncDispose]();
     console.log('"closed"');`,
  );
  t.is(seen, 'closed');
});

test.serial(
  'close while something waits for a run: it ends, and so does what comes later',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    const seen = await program(
      user,
      `const jug = await connect();
     const waited = jug.wait(await jug.plan('jugfile.ts')).catch((error) => error.code);
     await new Promise((resolve) => setTimeout(resolve, 500));
     await jug.close();
     await jug.close();
     const later = [() => jug.status(), () => jug.du()].map((call) => call().catch((error) => error.code));
     console.log(JSON.stringify(await Promise.all([waited, ...later])));`,
    );
    t.deepEqual(seen, ['INTERRUPTED', 'USAGE', 'USAGE']);
  },
);

test.serial(
  'a program controls runs: fail fast, failures, retry, invalidate, pause, cancel',
  async (t) => {
    await using user = await projectOn(server, 'causes');
    const worker = user.start('worker', '-j1');
    const seen = await program(
      user,
      `import { writeFileSync } from 'node:fs';
     const jug = await connect();
     const run = await jug.plan('jugfile.ts');
     const { state, failed } = await jug.wait(run);
     const failures = await jug.failures({ cause: 'TypeError' });
     writeFileSync('mended', '');
     const retried = await jug.retry();
     const again = await jug.wait(retried.runs[0].run);
     const dry = await jug.invalidate('=parse', { dryRun: true });
     const gone = await jug.invalidate('=fetchPage');
     const last = await jug.plan('jugfile.ts', { targets: ['parse'], failFast: true });
     await jug.pause(last).catch(() => undefined);
     await jug.resume(last);
     console.log(JSON.stringify({
       state, failed, pages: failures.length, cleared: retried.cleared, again: again.state,
       dry: dry.results, gone: gone.results, cancelled: (await jug.cancel(last)).state,
     }));
     await jug.close();`,
    );
    t.deepEqual(seen, {
      ...{ state: 'failed', failed: 5, pages: 2, cleared: 5, again: 'finished' },
      ...{ dry: 7, gone: 3, cancelled: 'finished' },
    });
    worker.process.kill('SIGTERM');
    await worker.finished;
  },
);

test.serial(
  'startWorker runs tasks here; du, export, cleanup and import as the commands do',
  async (t) => {
    await using user = await projectOn(server, 'parameters');
    const seen = await program(
      user,
      `const jug = await connect();
     const messages = [];
     const worker = await jug.startWorker({ threads: 1, onMessage: (line) => messages.push(line) });
     const end = await jug.wait(await jug.plan('jugfile.ts'));
     const begun = await worker.stop();
     const before = await jug.du();
     const exported = await jug.export('all.jugq.gz');
     const some = await jug.export('squares.jugq', { targets: ['=square'] });
     await jug.invalidate('=square');
     const wouldGo = await jug.cleanup({ dryRun: true });
     const imported = await jug.import('all.jugq.gz');
     const finished = await jug.check('jugfile.ts');
     await jug.close();
     console.log(JSON.stringify({
       state: end.state, begun, messages, before: before.functions, exported, some, wouldGo,
       imported, done: finished.done,
     }));`,
    );
    t.like(seen, {
      state: 'finished',
      begun: 4,
      messages: [],
      exported: { results: 4, plans: 1, code: 1, runs: 1 },
      some: { results: 3, plans: 0 },
      wouldGo: { results: 0 },
      imported: { results: 4, revived: 4, there: 0, plans: 0 },
      done: true,
    });
    t.like((seen as { before: object }).before, { square: { results: 3 }, sum: { results: 1 } });
  },
);

test.serial('cancelTasks: what is finished stays, and close ends a worker', async (t) => {
  await using user = await projectOn(server, 'stages');
  const seen = await program(
    user,
    `const jug = await connect();
     const run = await jug.plan('jugfile.ts');
     const cancelled = await jug.cancelTasks('=sum2');
     await jug.startWorker({ threads: 1 });
     const end = await jug.wait(run);
     await jug.close();
     console.log(JSON.stringify({ cancelled, end }));`,
  );
  t.like(seen, {
    cancelled: { tasks: 16, functions: { sum2: 16 } },
    end: { state: 'cancelled', executed: 16 },
  });
});

test.serial(
  'load while planning is parked: an error; with wait, the exports when it is done',
  async (t) => {
    await using user = await projectOn(server, 'barrier');
    const parked = await program(
      user,
      `const jug = await connect();
     await jug.plan('jugfile.ts');
     console.log(JSON.stringify(await jug.load('jugfile.ts').catch((error) => error.code)));
     await jug.close();`,
    );
    t.is(parked, 'PARKED');
    const waiting = program(
      user,
      `const jug = await connect();
     const { eight, counted } = await jug.load('jugfile.ts', { wait: true });
     console.log(JSON.stringify([eight.id.split('.')[0], counted.length]));
     await jug.close();`,
    );
    const worker = await user.run('worker', '--exit-when-done');
    t.is(worker.status, 0, worker.stderr);
    t.deepEqual(await waiting, ['call', 4]);
  },
);

test.serial('load and wait for what has failed: an error that names the run', async (t) => {
  await using user = await projectOn(server, 'barrier');
  await user.write(
    'failing.ts',
    `import { task, value } from 'jugq';
    const boom = task(function boom(): number { throw new Error('no luck'); });
    export const x = await value(boom());`,
  );
  t.is((await user.run('run', 'failing.ts')).status, 1);
  const seen = await program(
    user,
    `const jug = await connect();
     const { code, message } = await jug.load('./failing.ts', { wait: true }).catch((error) => error);
     console.log(JSON.stringify({ code, message }));
     await jug.close();`,
  );
  t.like(seen, { code: 'PARKED' });
  t.regex(
    (seen as { message: string }).message,
    /failing\.ts cannot go on: at failing\.ts:3:\d+ it waits, and its run \w+ is failed/,
  );
});
