/** The examples, run by the built command as their READMEs say, in copies of their directories. */
import { execFile } from 'node:child_process';
import { readdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { moments, standardiseColumns } from '../examples/images/features.ts';
import { toLab } from '../examples/images/colour.ts';
import { clusterPoints, randomNumbers, scoreClustering } from '../examples/images/kmeans.ts';
import { userDirectory, type UserDirectory } from './kit/cli.ts';

const execute = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const images = join(root, 'examples', 'images');
const primes = join(root, 'examples', 'primes');
const decrypt = join(root, 'examples', 'decrypt');
const segmentation = join(root, 'examples', 'segmentation');

/** What the last line of `jugq run --json` says, as far as it is looked at here. */
interface Ended {
  readonly kind: string;
  readonly tasks: number;
  readonly executed: number;
  readonly failed: number;
}

test.before('the packages of the examples are installed', async (t) => {
  t.timeout(300_000, 'npm ci in examples/images has not ended');
  if (await isInstalled(images)) return;
  // Their jugq is this clone, which is built already: its scripts must not build it again under the other tests.
  await execute('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: images });
});

test('examples: all compile under the flags of the project', async (t) => {
  t.timeout(180_000);
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const directory of [images, primes, decrypt, segmentation]) {
    await t.notThrowsAsync(execute(process.execPath, [compiler, '--project', directory]));
  }
});

test('images: 256 flags fall into 14 clusters, a second run computes nothing, more k only what is new', async (t) => {
  t.timeout(300_000);
  await using user = await copyOf(images, ['pngjs', 'svg-country-flags']);

  const first = await user.json<Ended>('run', 'jugfile.ts', '--json');
  t.like(first, { kind: 'summary', tasks: 438, executed: 438, failed: 0 });
  const summary = await user.json<{ k: number; seed: number; sizes: number[]; bic: number }>(
    ...['get', 'jugfile.ts', 'summary', '--json'],
  );
  t.like(summary, {
    k: 14,
    seed: 2,
    sizes: [40, 30, 26, 26, 20, 19, 17, 16, 15, 14, 14, 10, 6, 3],
  });
  // Other versions of V8 may round a cube root or a logarithm otherwise.
  t.true(Math.abs(summary.bic - 9658.578452) < 1e-5, `BIC ${summary.bic}`);

  const second = await user.json<Ended>('run', 'jugfile.ts', '--json');
  t.like(second, { tasks: 438, executed: 0 });

  await execute(process.execPath, ['save-sheet.js'], { cwd: user.path, env: user.env });
  const sheet = await readFile(join(user.path, 'contact-sheet.html'), 'utf8');
  t.is(sheet.match(/<img src="data:image\/png;base64,/g)?.length, 256);
  t.is(sheet.match(/<section>/g)?.length, 14);

  const jugfile = await readFile(join(images, 'jugfile.ts'), 'utf8');
  const more = jugfile.replace('range(2, 20)', 'range(2, 21)');
  t.not(more, jugfile);
  await user.write('jugfile.ts', more);
  const third = await user.json<Ended>('run', 'jugfile.ts', '--json');
  t.like(third, { tasks: 448, executed: 10 + 3 });
});

test('primes: 99 slow tests on 20 threads find the 25 primes below 100', async (t) => {
  t.timeout(120_000);
  await using user = await copyOf(primes, []);
  const ended = await user.json<Ended>('run', '-j', '20', 'jugfile.ts', '--json');
  t.like(ended, { tasks: 100, executed: 100, failed: 0 });
  const found = await user.json<number[]>('get', 'jugfile.ts', 'primes', '--json');
  t.deepEqual(
    found,
    [
      2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
      97,
    ],
  );
});

test('decrypt: one of 456,976 keys makes English of the message, split over 26 tasks', async (t) => {
  t.timeout(120_000);
  await using user = await copyOf(decrypt, []);
  t.like(await user.json<Ended>('run', 'jugfile.ts', '--json'), { tasks: 27, executed: 27 });
  const answer = await user.json<{ key: string; text: string }>('get', 'jugfile.ts', 'answer');
  t.is(answer.key, 'quay');
  t.is(
    answer.text,
    'Meet me where the river bends, at the hour when nobody counts the boats. Bring what you borrowed, and tell no one.',
  );
  t.like(await user.json<Ended>('run', 'jugfile.ts', '--json'), { executed: 0 });
});

test('segmentation: of three pictures, and of one more: the local mean wins, and only what is new runs', async (t) => {
  t.timeout(120_000);
  await using user = await copyOf(segmentation, []);
  const first = await user.json<Ended>('run', 'jugfile.ts', '3', '--json');
  t.like(first, { tasks: 34, executed: 34, failed: 0 });
  const rows = await user.json<{ method: string; score: number }[]>(
    ...['get', 'jugfile.ts', 'comparison', '--json'],
  );
  t.deepEqual(
    rows.map(({ method, score }) => [method, score.toFixed(6)]),
    [
      ['local mean, smoothed', '0.899084'],
      ['local mean, as it is', '0.719272'],
      ['local mean, smoothed, near', '0.623280'],
      ['threshold, as it is', '0.160513'],
      ['threshold, smoothed', '0.151041'],
    ],
  );
  const more = await user.json<Ended>('run', 'jugfile.ts', '4', '--json');
  t.like(more, { tasks: 45, executed: 1 + 5 + 5 + 1 });
});

test('colour: red, green, blue, grey and white have the CIELAB coordinates of the tables', (t) => {
  const table: { rgb: [number, number, number]; lab: number[] }[] = [
    { rgb: [1, 0, 0], lab: [53.24, 80.09, 67.2] },
    { rgb: [0, 1, 0], lab: [87.74, -86.18, 83.18] },
    { rgb: [0, 0, 1], lab: [32.3, 79.19, -107.86] },
    { rgb: [1, 1, 1], lab: [100, 0, 0] },
    { rgb: [0, 0, 0], lab: [0, 0, 0] },
  ];
  for (const { rgb, lab } of table) {
    const found = toLab(...rgb);
    found.forEach((value, i) => {
      t.true(Math.abs(value - (lab[i] ?? NaN)) < 0.02, `${rgb.join(' ')}: ${found.join(' ')}`);
    });
  }
});

test('features: moments of 1, 2, 3, 6 are mean 3, spread √3.5 and skew ∛4.5', (t) => {
  t.deepEqual(moments(Float64Array.of(1, 2, 3, 6)), [3, Math.sqrt(3.5), Math.cbrt(4.5)]);
});

test('features: a standardised column has mean 0 and variance 1, one that does not vary is 0', (t) => {
  t.deepEqual(
    standardiseColumns([
      [1, 7],
      [3, 7],
    ]),
    [
      [-1, 0],
      [1, 0],
    ],
  );
});

test('kmeans: mulberry32 of seed 1 begins with the same numbers everywhere', (t) => {
  const random = randomNumbers(1);
  const integers = [random(), random(), random()].map((each) => each * 2 ** 32);
  t.deepEqual(integers, [2693262067, 11749833, 2265367787]);
});

test('kmeans: two heaps of points become two clusters, and BIC prefers two to one or three', (t) => {
  const heap = (centre: number): number[][] =>
    [-0.3, -0.1, 0, 0.1, 0.3].flatMap((x) => [-0.2, 0.2].map((y) => [centre + x, centre + y]));
  const points = [...heap(0), ...heap(5)];
  const [one, two, three] = [1, 2, 3].map((k) => clusterPoints(points, k, 1));
  t.is(new Set(two?.clusters.slice(0, 10)).size, 1);
  t.is(new Set(two?.clusters.slice(10)).size, 1);
  t.not(two?.clusters[0], two?.clusters[10]);
  t.true((two?.bic ?? NaN) < (one?.bic ?? NaN) && (two?.bic ?? NaN) < (three?.bic ?? NaN));
});

test('kmeans: the BIC of four points at ±1 in one dimension, worked by hand, is 10.59', (t) => {
  // R = 4, K = 1, d = 1, squared error 4: σ² = 4/3, l = −2·ln(8π/3) − 3/2, p = 2.
  const byHand = 4 * Math.log((8 * Math.PI) / 3) + 3 + 2 * Math.log(4);
  const bic = scoreClustering({ sizes: [4], squaredError: 4, dimensions: 1 });
  t.true(Math.abs(bic - byHand) < 1e-12, `${bic}`);
});

/** A user's directory with an example in it, and the packages that the example has installed. */
async function copyOf(example: string, packages: readonly string[]): Promise<UserDirectory> {
  const names = (await readdir(example)).filter((name) => /\.[jt]s$|^package\.json$/.test(name));
  const files = await Promise.all(
    names.map(async (name) => [name, await readFile(join(example, name), 'utf8')] as const),
  );
  const user = await userDirectory(Object.fromEntries(files));
  for (const name of packages) {
    await symlink(join(example, 'node_modules', name), join(user.path, 'node_modules', name));
  }
  return user;
}

/** Whether npm has installed what the lock file says: it leaves a copy of the file behind. */
async function isInstalled(directory: string): Promise<boolean> {
  const [lock, copy] = await Promise.all(
    ['package-lock.json', 'node_modules/.package-lock.json'].map((name) =>
      stat(join(directory, name)).catch(() => undefined),
    ),
  );
  return lock !== undefined && copy !== undefined && copy.mtimeMs >= lock.mtimeMs;
}
