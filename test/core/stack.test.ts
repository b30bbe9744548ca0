import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { fc, testProp } from '@fast-check/ava';
import test, { type ExecutionContext } from 'ava';
import { bundleJugfile } from '../../cli/bundle.ts';
import {
  formatUserError,
  jugfileSource,
  jugfileSourcePath,
  printable,
  userFrames,
  type FrameOptions,
} from '../../core/stack.ts';

const fixtures = fileURLToPath(new URL('../jugfiles/bundling/', import.meta.url));
const ownFile = fileURLToPath(new URL('../../worker/thread.ts', import.meta.url));

/** What a thread that runs a bundle throws, brought here by structured clone, which keeps all but the class's name. */
async function thrownInThread(t: ExecutionContext, call: string): Promise<unknown> {
  const bundle = await bundleJugfile('failing.ts', { cwd: fixtures });
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'jugq-stack-')));
  t.teardown(() => rm(directory, { recursive: true }));
  const path = join(directory, `${bundle.digest}.mjs`);
  await writeFile(path, bundle.code);
  const program = `
    const { parentPort } = require('node:worker_threads');
    process.setSourceMapsEnabled(true);
    import(${JSON.stringify(pathToFileURL(path).href)})
      .then(({ clusterAll }) => ${call})
      .catch((error) => {
        parentPort.postMessage({ error, name: error.constructor.name });
      });`;
  const worker = new Worker(program, { eval: true, execArgv: [] });
  return new Promise((resolve, reject) => {
    worker.once('message', ({ error, name }: { error: Error; name: string }) => {
      resolve(Object.assign(error, { name }));
    });
    worker.once('error', reject);
    worker.once('exit', () => {
      reject(new Error('the thread ended without throwing'));
    });
  });
}

test('stack: an error in a thread that runs a bundle: frames name the TypeScript files with their lines', async (t) => {
  const error = await thrownInThread(t, 'clusterAll([[1, 2]], 3)');
  t.is(
    formatUserError(error),
    [
      'ClusteringError: one set is too small',
      '    at clusterOne (failing.ts:12:11)',
      '    at async clusterAll (failing.ts:4:10)',
      '  caused by: RangeError: expected at most 2 clusters, got 3',
      '    at kmeans (lib/kmeans.ts:9:11)',
      '    at clusterOne (failing.ts:10:12)',
      '    at async clusterAll (failing.ts:4:10)',
    ].join('\n'),
  );
});

test('stack: files that are on this machine: their frames are absolute', async (t) => {
  const error = await thrownInThread(t, 'clusterAll([[1, 2]], 3)');
  const text = formatUserError(error, { directory: fixtures, exists: existsSync });
  t.true(text.includes(`    at clusterOne (${join(fixtures, 'failing.ts')}:12:11)\n`), text);
  const elsewhere = formatUserError(error, { directory: '/nowhere', exists: existsSync });
  t.is(elsewhere, formatUserError(error));
});

function frames(lines: readonly string[], options?: FrameOptions): string[] {
  return userFrames(['Error: text', ...lines.map((line) => `    at ${line}`)].join('\n'), options);
}

test('stack: frames of Node, of jugq and of packages: they are dropped', (t) => {
  t.deepEqual(
    frames([
      'JSON.parse (<anonymous>)',
      'async Promise.all (index 0)',
      'chunk (jugfile:../node_modules/lodash/lodash.js:1:2)',
      'async step (jugfile:lib/a%20b.ts:3:4)',
      'jugfile:jugfile.ts:5:6',
      'async jugfile:jugfile.ts:6:6',
      '<anonymous> (jugfile:../shared/util.ts:7:8)',
      'new Set (jugfile:odd(1)/a%23b.ts:1:1)',
      'absent (jugq:jugfile-api:3:4)',
      `runTask (${pathToFileURL(ownFile).href}:9:1)`,
      `runTask (${ownFile}:9:1)`,
      '[worker eval]:1:159',
      'process.processTimers (node:internal/timers:519:7)',
      'native',
    ]),
    [
      'at async step (lib/a b.ts:3:4)',
      'at jugfile.ts:5:6',
      'at async jugfile.ts:6:6',
      'at ../shared/util.ts:7:8',
      'at new Set (odd(1)/a#b.ts:1:1)',
    ],
  );
});

test('stack: no frame of the user: those of packages are kept', (t) => {
  t.deepEqual(
    frames([
      'parse (file:///srv/node_modules/sharp/lib/input.js:1:2)',
      'run (node:internal/timers:1:1)',
    ]),
    ['at parse (/srv/node_modules/sharp/lib/input.js:1:2)'],
  );
  t.deepEqual(frames(['run (node:internal/timers:1:1)']), []);
});

test('stack: code made at run time: its frame is the place that made it', (t) => {
  t.deepEqual(frames(['eval (eval at build (jugfile:a.ts:3:4), <anonymous>:1:1)']), [
    'at eval (a.ts:3:4)',
  ]);
});

test('stack: a message with lines that look like frames: only the real ones are frames', (t) => {
  const error = new Error('seen\n    at fake (jugfile:fake.ts:1:1)');
  error.stack = `Error: ${error.message}\n    at real (jugfile:real.ts:2:2)`;
  t.is(
    formatUserError(error),
    'Error: seen\n    at fake (jugfile:fake.ts:1:1)\n    at real (real.ts:2:2)',
  );
});

test('stack: what is thrown is no Error: it is shown, with the reason why there is no stack', (t) => {
  const why = 'was thrown, which is not an Error and so has no stack';
  t.is(formatUserError('boom'), `'boom' ${why}`);
  t.is(formatUserError(undefined), `undefined ${why}`);
  t.is(formatUserError({ code: 3, deep: { a: [1] } }), `{ code: 3, deep: { a: [ 1 ] } } ${why}`);
  const hostile = new Proxy(
    {},
    {
      get() {
        throw new Error('looked at');
      },
    },
  );
  t.is(formatUserError(hostile), `{} ${why}`);
});

test('stack: message, stack and cause throw when they are read: the rest is shown', (t) => {
  const thrower = {
    get: (): never => {
      throw new Error('read');
    },
    configurable: true,
  };
  for (const key of ['message', 'stack', 'cause', 'name', 'constructor'] as const) {
    const error = new TypeError('text');
    error.stack = 'TypeError: text\n    at f (jugfile:a.ts:1:1)';
    Object.defineProperty(error, key, thrower);
    t.notThrows(() => formatUserError(error), key);
    t.regex(formatUserError(error), /Error/, key);
  }
});

test('stack: a subclass of Error that sets no name: the name of the class is shown', (t) => {
  class TooFewPoints extends Error {}
  t.regex(formatUserError(new TooFewPoints('2')), /^TooFewPoints: 2\n/);
  t.regex(formatUserError(new TypeError()), /^TypeError\n/);
});

test('stack: causes in a circle, and many of them: the text ends', (t) => {
  const first = new Error('first');
  first.cause = new Error('second', { cause: first });
  t.is(formatUserError(first).match(/caused by/g)?.length, 1);
  let chain = new Error('innermost');
  for (let depth = 0; depth < 100; depth += 1) chain = new Error('outer', { cause: chain });
  t.is(formatUserError(chain).match(/caused by/g)?.length, 7);
});

test('stack: an AggregateError: its errors are shown', (t) => {
  const text = formatUserError(new AggregateError([new RangeError('one'), 'two'], 'both failed'));
  t.regex(text, /^AggregateError: both failed\n/);
  t.regex(text, /\n {2}one of its errors: RangeError: one/);
  t.regex(text, /\n {2}one of its errors: 'two' was thrown/);
});

test('stack: what would change a terminal is taken out or shown by its code', (t) => {
  t.is(printable('a\x1b[31mred\x1b[0m\tb\nc\0\x07'), 'ared\tb\nc\\x00\\x07');
});

testProp(
  'stack: the source name of any path: it is an URL that gives the path back',
  [fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => `../${text}/a.ts`)],
  (t, path) => {
    const source = jugfileSource(path);
    t.is(jugfileSourcePath(source), path);
    t.is(new URL(source, 'file:///cache/bundle.mjs').href, source);
  },
);

testProp('stack: anything is thrown: there is a text', [fc.anything()], (t, thrown) => {
  t.true(formatUserError(thrown).length > 0);
  t.true(formatUserError(Object.assign(new Error('x'), { cause: thrown })).length > 0);
});

testProp('stack: any text as a stack: frames are at most 20 lines', [fc.string()], (t, text) => {
  t.true(userFrames(`${text}\n    at ${text}\n    at f (${text})`).length <= 20);
});
