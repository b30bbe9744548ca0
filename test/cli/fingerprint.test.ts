import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { bundleJugfile } from '../../cli/bundle.ts';
import { fingerprintFunctions } from '../../cli/fingerprint.ts';
import { parseFunctions } from '../../cli/function-ranges.ts';

type Sources = Readonly<Record<string, string>>;

/** Fingerprints of the functions that a jugfile exports in an object `functions`, by their keys there. */
async function fingerprints(
  t: ExecutionContext,
  sources: Sources,
  jugfile = 'jugfile.ts',
): Promise<Map<string, string>> {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'jugq-fingerprint-')));
  t.teardown(() => rm(directory, { recursive: true }));
  for (const [name, text] of Object.entries(sources)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  const bundle = await bundleJugfile(jugfile, { cwd: directory });
  const path = join(directory, `${bundle.digest}.mjs`);
  await writeFile(path, bundle.code);
  const { functions } = (await import(pathToFileURL(path).href)) as {
    functions: Record<string, object>;
  };
  const texts = Object.entries(functions).map(([name, fn]): [string, string[]] => [
    name,
    [Function.prototype.toString.call(fn)],
  ]);
  const found = await fingerprintFunctions(bundle, new Map(texts));
  t.deepEqual([...found.keys()], Object.keys(functions));
  for (const fingerprint of found.values()) t.regex(fingerprint, /^[0-9a-f]{20}$/);
  return found;
}

/** Fingerprint of the one function that a module with this text exports as `f`. */
async function fingerprint(t: ExecutionContext, moduleText: string, more: Sources = {}) {
  const found = await fingerprints(t, {
    'jugfile.ts': `import { f } from './lib/f.ts'; export const functions = { f };`,
    'lib/f.ts': moduleText,
    ...more,
  });
  return found.get('f');
}

const plain = `export function f(a: number, b = 1): number { return a + b; }`;

test('fingerprint: comments, types and layout change: it stays', async (t) => {
  const before = await fingerprint(t, plain);
  for (const after of [
    `// more\nexport function f(a: number, b = 1): number {\n  /* inside */\n  return a + b; // end\n}`,
    `export function f(a: any, b: number = 1) { return (a + b)\n}`,
    `/** Adds. */ export function f(/* first */ a: number, b = 1): number { /*! licence */ return a + /* @__PURE__ */ b }`,
  ]) {
    t.is(await fingerprint(t, after), before, after);
  }
});

test('fingerprint: body, default or parameter changes: it changes', async (t) => {
  const texts = [
    plain,
    `export function f(a: number, b = 1): number { return a - b; }`,
    `export function f(a: number, b = 2): number { return a + b; }`,
    `export function f(a: number, b = 1, c = 2): number { return a + b; }`,
    `export async function f(a: number, b = 1) { return a + b; }`,
    'export function f(a: number, b = 1) { return `${a} + ${b}`; }',
    'export function f(a: number, b = 1) { return `${a} +  ${b}`; }',
  ];
  const found = new Set<unknown>();
  for (const text of texts) found.add(await fingerprint(t, text));
  t.is(found.size, texts.length);
});

test('fingerprint: the rest of the jugfile changes, another function of the name comes: it stays', async (t) => {
  const before = await fingerprint(t, plain);
  const after = await fingerprint(
    t,
    `const other = 1;\n\n${plain}\nexport const g = () => other;`,
    {
      'jugfile.ts': `
      import './first.ts';
      import { f as imported } from './lib/f.ts';
      function f() { return 'another'; }
      export const functions = { f: imported, own: f };`,
      'first.ts': `function f() { return 'a third'; } console.assert(f() !== '');`,
    },
  );
  t.is(after, before);
});

test('fingerprint: a helper that is called gets a namesake, which the bundler renames: it stays', async (t) => {
  const text = `import { help } from './help.ts'; export function f(a: number) { return help(a); }`;
  const helper = `export function help(a: number) { return a + 1; }`;
  const before = await fingerprint(t, text, { 'lib/help.ts': helper });
  const after = await fingerprint(t, text, {
    'jugfile.ts': `
      import { help } from './first.ts';
      import { f } from './lib/f.ts';
      export const functions = { f, help };`,
    'first.ts': `export const help = () => 'first';`,
    'lib/help.ts': helper,
  });
  t.is(after, before);
});

test('fingerprint: a helper that is called changes: it stays, as documented', async (t) => {
  const text = `import { help } from './help.ts'; export function f(a: number) { return help(a); }`;
  const found = await Promise.all(
    ['a + 1', 'a + 2'].map((body) =>
      fingerprint(t, text, {
        'lib/help.ts': `export function help(a: number) { return ${body}; }`,
      }),
    ),
  );
  t.is(found[0], found[1]);
});

/** One function of each sort, each with this word in its body. */
function everySort(word: string): Sources {
  return {
    'jugfile.ts': `
      import standard, { declared, object, Made, curried } from './lib/sorts.ts';
      export const functions = {
        standard, declared, ...object, fixed: Made.fixed, lazy: Made.lazy, member: new Made().member,
        get: Object.getOwnPropertyDescriptor(Made.prototype, 'got').get,
        curried, inner: curried(1),
      };`,
    'lib/sorts.ts': `
      export default async function (a: number): Promise<string> { return '${word} standard'; }
      export async function declared<T>(a: T) { return '${word} declared'; }
      export const object = {
        arrow: (a: number) => '${word} arrow',
        asyncArrow: async <T,>(a: T): Promise<T> => { console.log('${word} asyncArrow'); return a; },
        expression: function (a: number) { return '${word} expression'; },
        named: function other(a: number) { return '${word} named'; },
        method(a: number) { return '${word} method'; },
        async asyncMethod(a: number) { return '${word} asyncMethod'; },
        *generator(a: number) { yield '${word} generator'; },
        async *asyncGenerator(a: number) { yield '${word} asyncGenerator'; },
        ['computed' + 1](a: number) { return '${word} computed'; },
      };
      export class Made {
        static async fixed(a: number) { return '${word} fixed'; }
        static lazy = (a: number) => '${word} lazy';
        member(a: number) { return '${word} member'; }
        private get got() { return '${word} got'; }
      }
      export const curried = (a: number) => (b: number) => '${word} curried' + a;`,
  };
}

test('fingerprint: functions of every sort: all differ, and all change with their bodies', async (t) => {
  const before = await fingerprints(t, everySort('one'));
  t.is(before.size, 17);
  t.is(new Set(before.values()).size, 17);
  const after = await fingerprints(t, everySort('two'));
  for (const [name, value] of after) t.not(value, before.get(name), name);
});

test('fingerprint: functions of every sort in a jugfile where the bundler renames: none changes', async (t) => {
  const before = await fingerprints(t, everySort('one'));
  const sources = everySort('one');
  const after = await fingerprints(t, {
    ...sources,
    'jugfile.ts': `import './first.ts';\n${sources['jugfile.ts'] ?? ''}`,
    'first.ts': `
      function declared() {} function other() {} const curried = 1, object = 2; class Made {}
      console.assert(Boolean([declared, other, curried, object, Made]));`,
    'lib/sorts.ts': `// Moved by a line and a blank.\n ${sources['lib/sorts.ts'] ?? ''}`,
  });
  t.deepEqual([...after], [...before]);
});

test('fingerprint: the text of one arrow function begins another, stands in a string and in a comment: they differ', async (t) => {
  const found = await fingerprints(t, {
    'jugfile.ts': `
      const longer = (x: number) => x + 1;
      const text = '(x) => x';
      const short = (x: number) => x;
      const twin = (x: number) => x;
      export const functions = { longer, short, twin, text: () => text };`,
  });
  t.not(found.get('short'), found.get('longer'));
  t.is(found.get('short'), found.get('twin'));
  const alone = await fingerprints(t, {
    'jugfile.ts': `export const functions = { short: (x: number) => x };`,
  });
  t.is(found.get('short'), alone.get('short'));
});

test('fingerprint: a function of a package, a native and a bound one: each has one', async (t) => {
  const sources = {
    'jugfile.ts': `
      import { chunk } from 'pieces';
      function f(): void {}
      export const functions = { chunk, max: Math.max, bound: f.bind(null) };`,
    'node_modules/pieces/package.json': '{}',
    'node_modules/pieces/index.js': `exports.chunk = function chunk(a) { return [a]; };`,
  };
  const before = await fingerprints(t, sources);
  const after = await fingerprints(t, {
    ...sources,
    'node_modules/pieces/index.js': `exports.chunk = function chunk(a) { return [a, a]; };`,
  });
  t.not(after.get('chunk'), before.get('chunk'));
  t.is(after.get('max'), before.get('max'));
  t.is(after.get('bound'), before.get('bound'));
});

test('fingerprint: a jugfile that imports from two directories up: its functions are found', async (t) => {
  const f = `export function f() { return g(); }\nfunction g() { return 1; }`;
  const above = async (more: string): Promise<string | undefined> => {
    const jugfile = `import { f } from '../../f.ts'; ${more}; export const functions = { f };`;
    const found = await fingerprints(t, { 'a/b/jugfile.ts': jugfile, 'f.ts': f }, 'a/b/jugfile.ts');
    return found.get('f');
  };
  t.is(await above(''), await above(`function g() {} console.assert(Boolean(g))`));
});

test('functions of a script that is no module: they are found, and of broken code none', (t) => {
  const code = 'var static = 1; function f() { return static } with (f) {}';
  const { ranges, tokensIn } = parseFunctions(code);
  t.deepEqual(
    ranges.map(({ start, end }) => code.slice(start, end)),
    ['function f() { return static }'],
  );
  t.is(ranges.map(tokensIn).join(), 'function\nf\n(\n)\n{\nreturn\nstatic\n}');
  t.deepEqual(parseFunctions('function {').ranges, []);
});

test('functions of a module with a table of 200,000 items and an object of as many: they are found', (t) => {
  const count = 200_000;
  const pairs = Array.from({ length: count }, (_, at) => `k${at.toString()}: 0`);
  const code = `const table = [${'0,'.repeat(count)}]; const object = { ${pairs.join()} }; function f() {}`;
  t.deepEqual(
    parseFunctions(code).ranges.map(({ start, end }) => code.slice(start, end)),
    ['function f() {}'],
  );
});
