import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { bundleJugfile, type Bundle } from '../../cli/bundle.ts';
import { isJugqError, type JugqError } from '../../core/errors.ts';
import { jugfileApiSymbol } from '../../core/jugfile-api.ts';

const fixtures = fileURLToPath(new URL('../jugfiles/bundling/', import.meta.url));

async function directoryWith(
  t: ExecutionContext,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'jugq-bundle-')));
  t.teardown(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}

/** Runs a bundle in a process of its own, with an API whose `task` hands back the function, and prints `expression`. */
async function evaluate(t: ExecutionContext, bundle: Bundle, expression: string): Promise<unknown> {
  const directory = await directoryWith(t, { 'bundle.mjs': bundle.code });
  const program = `
    globalThis[Symbol.for(${JSON.stringify(Symbol.keyFor(jugfileApiSymbol))})] = { task: (fn) => fn };
    const jugfile = await import(${JSON.stringify(pathToFileURL(join(directory, 'bundle.mjs')).href)});
    const tried = (call) => { try { return call(); } catch (error) { return error.message; } };
    console.log(JSON.stringify(await (${expression})));`;
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    {
      encoding: 'utf8',
    },
  );
  t.is(stderr, '');
  return JSON.parse(stdout);
}

async function failure(t: ExecutionContext, path: string, cwd = fixtures): Promise<JugqError> {
  const error = await t.throwsAsync(bundleJugfile(path, { cwd }));
  if (!isJugqError(error)) throw new Error('expected a JugqError', { cause: error });
  return error;
}

test('bundle: a TypeScript jugfile with a module: the bundle runs and keeps function names', async (t) => {
  const bundle = await bundleJugfile('jugfile.ts', { cwd: fixtures });
  t.deepEqual(bundle.warnings, []);
  t.deepEqual(bundle.externals, []);
  t.is(bundle.entry, 'jugfile.ts');
  t.is(bundle.digest, createHash('sha256').update(bundle.code).digest('hex'));
  t.deepEqual(
    await evaluate(
      t,
      bundle,
      `[jugfile.cluster.name, jugfile.report.name, jugfile.report(jugfile.cluster([1, 2, 5, 6], 2))]`,
    ),
    ['kmeans', 'report', '1 5'],
  );
});

test('bundle: imports of JSON, text and WebAssembly: a value, a string, bytes', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `
      import { version } from './settings.json';
      import query from './query.sql';
      import module from './module.wasm';
      export const seen = [version, query, module instanceof Uint8Array, module.length];`,
    'settings.json': '{ "version": 3 }',
    'query.sql': 'select 1',
    'module.wasm': '\0asm',
  });
  const bundle = await bundleJugfile('jugfile.ts', { cwd });
  t.deepEqual(await evaluate(t, bundle, 'jugfile.seen'), [3, 'select 1', true, 4]);
});

test('bundle: two modules with a function of one name: both keep that name', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `
      import { task } from 'jugq';
      import { score as other } from './other.ts';
      export const first = task(other);
      export const second = task(function score(): number { return 2; });`,
    'other.ts': `export const score = function score(): number { return 1; };`,
  });
  const bundle = await bundleJugfile('jugfile.ts', { cwd });
  t.deepEqual(await evaluate(t, bundle, '[jugfile.first.name, jugfile.second.name]'), [
    'score',
    'score',
  ]);
});

test('bundle: a CommonJS jugfile that requires jugq and a built-in: the bundle runs', async (t) => {
  const bundle = await bundleJugfile('kmeans-cjs.cjs', { cwd: fixtures });
  t.is(await evaluate(t, bundle, `jugfile.default.place('a')`), join('results', 'a'));
});

test('bundle: the same sources in two directories: one digest', async (t) => {
  const cwd = await directoryWith(t, {});
  await cp(fixtures, join(cwd, 'deeper', 'copy'), { recursive: true });
  const here = await bundleJugfile(join(fixtures, 'jugfile.ts'));
  const there = await bundleJugfile('deeper/copy/jugfile.ts', { cwd });
  t.is(there.code, here.code);
  t.is(there.map, here.map);
  t.is(there.directory, join(cwd, 'deeper', 'copy'));
  t.false(here.code.includes(fixtures));
});

test('bundle: a jugfile behind a symbolic link: the digest is that of its target', async (t) => {
  const cwd = await directoryWith(t, {});
  await symlink(join(fixtures, 'jugfile.ts'), join(cwd, 'linked.ts'));
  const { digest } = await bundleJugfile('linked.ts', { cwd });
  t.is(digest, (await bundleJugfile('jugfile.ts', { cwd: fixtures })).digest);
});

test('bundle: lines move and the code stays: another digest, since stacks differ', async (t) => {
  const cwd = await directoryWith(t, {
    'a/jugfile.ts': `export const a = () => 1;`,
    'b/jugfile.ts': `\n\nexport const a = () => 1;`,
  });
  const [a, b] = await Promise.all(
    ['a', 'b'].map((name) => bundleJugfile(`${name}/jugfile.ts`, { cwd })),
  );
  t.not(a?.digest, b?.digest);
});

test('bundle: CommonJS packages that use require, __dirname and module: they are inside and run', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `
      import old from 'old';
      const __dirname = 'mine', require = 'also mine';
      export const seen = [old.parse('a=1').a, typeof old.here, __dirname, require];`,
    'node_modules/old/package.json': `{ "name": "old", "main": "main.js" }`,
    'node_modules/old/main.js': `
      const name = 'query' + 'string';
      module.exports = { parse: require(name).parse, here: __dirname, file: __filename };`,
  });
  const bundle = await bundleJugfile('jugfile.ts', { cwd });
  t.deepEqual(bundle.warnings, []);
  t.deepEqual(await evaluate(t, bundle, 'jugfile.seen'), ['1', 'string', 'mine', 'also mine']);
});

const nativePackages: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  gypfile: { 'package.json': `{ "gypfile": true }` },
  'binding.gyp': { 'package.json': '{}', 'binding.gyp': '{}' },
  'a .node file': { 'package.json': '{}', 'build/Release/addon.node': '' },
  prebuilds: { 'package.json': '{}', 'prebuilds/linux-x64/addon.node': '' },
  'node-gyp-build': { 'package.json': `{ "dependencies": { "node-gyp-build": "4" } }` },
  'platform packages': {
    'package.json': `{ "optionalDependencies": { "@fast/fast-darwin-arm64": "1" } }`,
  },
};

for (const [sign, files] of Object.entries(nativePackages)) {
  test(`bundle: a native package, told by ${sign}: it stays outside`, async (t) => {
    const cwd = await directoryWith(t, {
      'jugfile.ts': `import fast from '@org/fast/part'; export const seen = fast;`,
      'node_modules/@org/fast/part.js': 'module.exports = 1;',
      ...Object.fromEntries(
        Object.entries(files).map(([name, text]) => [`node_modules/@org/fast/${name}`, text]),
      ),
    });
    const bundle = await bundleJugfile('jugfile.ts', { cwd });
    t.deepEqual(bundle.externals, ['@org/fast']);
    t.regex(bundle.code, /^import fast from "@org\/fast\/part";$/m);
    t.deepEqual(bundle.warnings, []);
  });
}

test('bundle: a native package that only another package can reach: a warning names it', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `import outer from 'outer'; export const seen = outer;`,
    'node_modules/outer/package.json': '{}',
    'node_modules/outer/index.js': `module.exports = require('inner');`,
    'node_modules/outer/node_modules/inner/package.json': `{ "gypfile": true }`,
    'node_modules/outer/node_modules/inner/index.js': '',
  });
  const { warnings } = await bundleJugfile('jugfile.ts', { cwd });
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? '', /^native package inner .*npm install inner/);
});

test('bundle: a package listed as external: it stays outside, though it is not installed', async (t) => {
  const cwd = await directoryWith(t, { 'jugfile.ts': `export * as left from 'left';` });
  const bundle = await bundleJugfile('jugfile.ts', { cwd, external: ['left'] });
  t.deepEqual(bundle.externals, ['left']);
});

test('bundle: a name that the API of the thread lacks: it fails when it is called, by name', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `import { connect, hashKey } from 'jugq'; import * as jugq from 'jugq';
      export const names = Object.keys(jugq); export { connect, hashKey };`,
  });
  const bundle = await bundleJugfile('jugfile.ts', { cwd });
  const [names, connected, hashed] = (await evaluate(
    t,
    bundle,
    '[jugfile.names, tried(jugfile.connect), tried(jugfile.hashKey)]',
  )) as [string[], string, string];
  t.true(names.includes('task'));
  t.regex(connected, /^connect\(\) is for programs, not for jugfiles/);
  t.regex(hashed, /^hashKey\(\) is not part of this version of jugq/);
});

test('bundle: loaded outside a thread of jugq: the error says so', async (t) => {
  const { code } = await bundleJugfile('jugfile.ts', { cwd: fixtures });
  const { stderr } = spawnSync(process.execPath, ['--input-type=module'], {
    input: code,
    encoding: 'utf8',
  });
  t.regex(stderr, /a bundled jugfile was loaded outside jugq/);
});

test('bundle: code that asks for its own place: a warning with file and line, none for packages', async (t) => {
  const cwd = await directoryWith(t, {
    'jobs/jugfile.ts': `import near from 'near';\n// import.meta.url\nexport const images = [near, new URL('./images', import.meta.url)];`,
    'jobs/lib.ts': '',
    'node_modules/near/package.json': '{}',
    'node_modules/near/index.js': 'module.exports = __dirname;',
  });
  const { warnings } = await bundleJugfile('jobs/jugfile.ts', { cwd });
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? '', /^import\.meta\.url .*: jobs\/jugfile\.ts:3: use paths/);
});

test('bundle: a comparison that is always false: a warning with file, line and column', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': 'export const f = (x: number) =>\n  x === NaN;',
  });
  const { warnings } = await bundleJugfile('jugfile.ts', { cwd });
  t.regex(warnings[0] ?? '', /^jugfile\.ts:2:5: .*NaN/);
});

test('bundle: no such file: JUGFILE_NOT_FOUND, with the near name', async (t) => {
  const error = await failure(t, 'jugfile.js');
  t.is(error.code, 'JUGFILE_NOT_FOUND');
  t.is(error.message, 'no such jugfile: jugfile.js: did you mean jugfile.ts?');
  t.regex((await failure(t, 'nothing.ts')).message, /check the path$/);
});

test('bundle: a directory, a link in a circle, a file that is no code: each an error of its own', async (t) => {
  t.regex((await failure(t, 'lib')).message, /^expected a jugfile, got a directory: lib: /);
  const cwd = await directoryWith(t, { 'table.csv': 'a,b' });
  await symlink(join(cwd, 'round.ts'), join(cwd, 'round.ts'));
  t.regex(
    (await failure(t, 'round.ts', cwd)).message,
    /^the jugfile cannot be read: round.ts \(ELOOP\)/,
  );
  const error = await failure(t, 'table.csv', cwd);
  t.is(error.code, 'USAGE');
  t.regex(error.message, /^expected a jugfile ending in \.ts, .*, got table\.csv/);
});

test('bundle: a syntax error: file, line and column in characters, the line, and a caret below the place', async (t) => {
  const cwd = await directoryWith(t, {
    'jobs/jugfile.ts': `import './broken.ts';`,
    'jobs/broken.ts': `export const fine = 1;\n\texport const é = 'a', broken = ;\n`,
  });
  const error = await failure(t, 'jobs/jugfile.ts', cwd);
  t.is(error.code, 'JUGFILE_SYNTAX');
  t.true(
    error.message.includes(
      `jobs/broken.ts:2:33: Unexpected ";"\n    \texport const é = 'a', broken = ;\n    \t                               ^`,
    ),
    error.message,
  );
  t.deepEqual(error.fields['places'], [
    { file: join(cwd, 'jobs', 'broken.ts'), line: 2, column: 33 },
  ]);
});

test('bundle: more than five errors: five are shown and the rest is counted', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': Array.from(
      { length: 7 },
      (_, index) => `import './missing-${String(index)}.ts';`,
    ).join('\n'),
  });
  const { message } = await failure(t, 'jugfile.ts', cwd);
  t.is(message.match(/no such module/g)?.length, 5);
  t.regex(message, /and 2 more$/);
});

test('bundle: a name that jugq does not have: JUGFILE_SYNTAX naming it', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `import { tusk } from 'jugq'; tusk();`,
  });
  const error = await failure(t, 'jugfile.ts', cwd);
  t.is(error.code, 'JUGFILE_SYNTAX');
  t.regex(error.message, /jugfile\.ts:1:10: .*"jugq".*"tusk"/);
});

test('bundle: imports that lead nowhere: JUGFILE_IMPORT with the package, who imports it, and what to do', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `import '@org/gone/part';\nimport './lib/near.js';\nimport 'here/gone';\nimport 'needy';`,
    'lib/near.mts': '',
    'node_modules/here/package.json': '{}',
    'node_modules/needy/package.json': '{}',
    'node_modules/needy/index.js': `require('peer');`,
  });
  const error = await failure(t, 'jugfile.ts', cwd);
  t.is(error.code, 'JUGFILE_IMPORT');
  for (const part of [
    'jugfile.ts:1:8: package @org/gone is not installed: npm install @org/gone',
    'jugfile.ts:2:8: no such module "./lib/near.js": check the path (there is lib/near.mts)',
    'jugfile.ts:3:8: package here is installed but has no "here/gone"',
    'node_modules/needy/index.js:1:9: package peer is not installed, and package needy imports it',
  ]) {
    t.true(error.message.includes(part), `${part}\n is not in \n${error.message}`);
  }
});

test('bundle: a native add-on of an undetected package: the error says to list the package as external', async (t) => {
  const cwd = await directoryWith(t, {
    'jugfile.ts': `import 'odd';`,
    'node_modules/odd/package.json': '{}',
    'node_modules/odd/index.js': `require('./deep/er/addon.node');`,
    'node_modules/odd/deep/er/addon.node': '',
  });
  t.regex((await failure(t, 'jugfile.ts', cwd)).message, /package odd .* list odd as external/);
});

test('bundle: paths of tsconfig.json: they are followed', async (t) => {
  const cwd = await directoryWith(t, {
    'tsconfig.json': `{ "compilerOptions": { "paths": { "@lib/*": ["./lib/*"] } } }`,
    'jugfile.ts': `export { a } from '@lib/a';`,
    'lib/a.ts': 'export const a = 41 + 1;',
  });
  t.is(await evaluate(t, await bundleJugfile('jugfile.ts', { cwd }), 'jugfile.a'), 42);
});

test('bundle: many at once: each is built though they share one compiler', async (t) => {
  const bundles = await Promise.all(
    ['jugfile.ts', 'kmeans-cjs.cjs', 'jugfile.ts'].map((name) =>
      bundleJugfile(name, { cwd: fixtures }),
    ),
  );
  t.is(bundles[0]?.digest, bundles[2]?.digest);
  t.not(bundles[0]?.digest, bundles[1]?.digest);
});
