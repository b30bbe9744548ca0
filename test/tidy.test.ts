/**
 * The house rules, so that no review has to look for them.
 *
 * Each rule is tried on a text that breaks it, so that none holds only because it finds nothing; then on the project.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The layers, lowest first: each may import those before it. */
const layers = ['core', 'broker', 'worker', 'cli'];
const linesMax = 400;
/** The package's entry; everybody else imports a thing from where it is made. */
const barrel = 'cli/library.ts';

/** Who may end the process, beside `cli/main.ts`, and why. */
const mayExit: ReadonlyMap<string, string> = new Map([
  ['cli/main.ts', 'maps the errors of commands to statuses'],
  ['broker/private-keeper.ts', 'is a process of its own, whose status says that no server came up'],
  ['worker/quarantine-child.ts', 'is a process of its own, which ends when its worker is gone'],
  ['worker/attempt.ts', 'takes user code that ends the process for the end of its attempt'],
]);

interface SourceText {
  /** Relative to the root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly syntax: ts.SourceFile;
}

/** What breaks a rule, and on which line; lines count from 1. */
interface Violation {
  readonly line: number;
  readonly what: string;
}

interface Rule {
  /** A claim, as a test's title. */
  readonly title: string;
  readonly find: (file: SourceText) => readonly Violation[];
  /** Path and text of files that break it. */
  readonly broken: Readonly<Record<string, string>>;
}

const rules: readonly Rule[] = [
  {
    title: 'imports go down only: cli to worker to broker to core, and nothing imports the tests',
    find: (file) => {
      const from = layers.indexOf(layerOf(file.path));
      if (from === -1) return [];
      return importsOf(file).flatMap(({ line, specifier }) => {
        if (!specifier.startsWith('.')) return [];
        const target = posix.join(posix.dirname(file.path), specifier);
        const to = layers.indexOf(layerOf(target));
        const allowed = to !== -1 && to <= from;
        return allowed ? [] : [{ line, what: `${layerOf(file.path)}/ imports ${target}` }];
      });
    },
    broken: {
      'core/graph.ts': `import type { Names } from '../broker/topology.ts';`,
      'worker/inputs.ts': `await import('../cli/table.ts');`,
      'cli/runs.ts': `export { startTrial } from '../test/kit/trial.ts';`,
    },
  },
  {
    title: 'only broker/ imports the NATS client',
    find: (file) => importsFromOutside(file, { packages: /^(?:nats|@nats-io\/.*)$/, in: 'broker' }),
    broken: { 'worker/worker.ts': `import type { Msg } from 'nats';` },
  },
  {
    title: 'only cli/ imports esbuild',
    find: (file) => importsFromOutside(file, { packages: /^esbuild$/, in: 'cli' }),
    broken: { 'worker/evaluate.ts': `const { build } = await import('esbuild');` },
  },
  {
    title: `no file has more than ${linesMax} lines`,
    find: ({ text }) => {
      const lines = text.trimEnd().split('\n').length;
      return lines > linesMax ? [{ line: lines, what: `${lines} lines: split it` }] : [];
    },
    broken: { 'core/graph.ts': 'const one = 1;\n'.repeat(linesMax + 1) },
  },
  {
    title: 'no file has a vague name',
    find: ({ path }) =>
      path
        .split(/[/.-]/)
        .filter((word) => vague.test(word))
        .map((word) => ({ line: 1, what: `"${word}" says nothing: name what is in it` })),
    broken: { 'core/task-utils.ts': '', 'test/kit/helper.ts': '', 'cli/run-info.ts': '' },
  },
  {
    title: 'files and folders have names in kebab case',
    find: ({ path }) =>
      path
        .split('/')
        .filter((part) => !/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*$/.test(part))
        .map((part) => ({ line: 1, what: `expected a name such as run-progress.ts, got ${part}` })),
    broken: { 'core/runProgress.ts': '', 'worker/Worker.ts': '', 'test/my_kit/cli.ts': '' },
  },
  {
    title: 'nothing is a default export, but what a tool or a jugfile has to be',
    find: (file) => {
      if (/\.config\.js$|\/jugfiles\//.test(file.path)) return [];
      return nodesOf(file, isDefaultExport).map((node) => at(file, node, 'a default export'));
    },
    broken: {
      'core/graph.ts': 'export default function graph(): void {}',
      'core/task.ts': 'const task = 1;\nexport { task as default };',
      'cli/table.ts': 'export default {};',
    },
  },
  {
    title: 'no type is any',
    find: (file) =>
      nodesOf(file, (node) => node.kind === ts.SyntaxKind.AnyKeyword).map((node) =>
        at(file, node, 'any: say what it is, or unknown'),
      ),
    broken: { 'core/graph.ts': 'export const all = new Map<string, any>();' },
  },
  {
    title: 'neither the compiler nor the linter is silenced',
    find: ({ text }) => linesWith(text, silencers),
    broken: {
      'core/graph.ts': ['// @ts', 'ignore'].join('-'),
      'core/task.ts': ['/* eslint', 'disable no-console */'].join('-'),
    },
  },
  {
    title: `no module only passes on what others make, but ${barrel}`,
    find: (file) => {
      const { statements } = file.syntax;
      const passesOn = statements.filter((each) => ts.isExportDeclaration(each));
      const [first] = passesOn;
      if (file.path === barrel || first === undefined) return [];
      const only = statements.every(
        (each) => ts.isExportDeclaration(each) || ts.isImportDeclaration(each),
      );
      return only ? [at(file, first, 'a barrel: import from where it is made')] : [];
    },
    broken: { 'core/index.ts': `export { task } from './task.ts';` },
  },
  {
    title: 'nothing is left for later in a comment',
    find: ({ text }) => linesWith(text, unfinished),
    broken: { 'core/graph.ts': `const one = 1; // ${['TO', 'DO'].join('')}: two` },
  },
  {
    title: 'no error is recognised by its text',
    find: (file) =>
      isSource(file.path)
        ? nodesOf(file, readsMessageText).map((node) =>
            at(file, node, 'looks into the text of a message: compare a code'),
          )
        : [],
    broken: {
      'broker/queue.ts': `if (error.message.includes('timeout')) retry();`,
      'broker/lease.ts': `if (/wrong last/.test(cause.message)) retry();`,
      'worker/inputs.ts': `if (error.message === 'TIMEOUT') retry();`,
    },
  },
  {
    title: 'only cli/main.ts ends the process',
    find: (file) =>
      isSource(file.path) && !mayExit.has(file.path)
        ? nodesOf(file, endsProcess).map((node) => at(file, node, 'ends the process'))
        : [],
    broken: {
      'cli/commands/run-command.ts': 'process.exit(1);',
      'worker/worker.ts': 'process.exitCode = 70;',
    },
  },
  {
    title: 'exported functions and classes have a docstring',
    find: (file) =>
      isSource(file.path)
        ? file.syntax.statements
            .filter((each) => isDocumentable(each) && !isDocumented(file, each))
            .map((each) => at(file, each, 'exported without a docstring'))
        : [],
    broken: {
      'core/graph.ts': 'export function rows(): number {\n  return 1;\n}',
      'core/task.ts': 'export const rows = (): number => 1;',
      'broker/queue.ts': '// Not a docstring.\nexport class Queue {}',
    },
  },
  {
    title: 'classes inherit from nothing but Error and Command',
    find: (file) =>
      isSource(file.path)
        ? nodesOf(file, inherits).map((node) => at(file, node, `inherits: ${node.getText()}`))
        : [],
    broken: { 'worker/worker.ts': 'class Worker extends EventEmitter {}' },
  },
];

const vague =
  /^(?:utils?|utilit(?:y|ies)|helpers?|managers?|common|misc|data|info|stuff|shared|generic|things?)$/i;
// Put together here, because this file is under its own rules.
const silencers = new RegExp(
  ['@ts-' + '(?:ignore|nocheck)', 'eslint-' + '(?:disable|enable)'].join('|'),
);
const unfinished = new RegExp(
  `\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK', 'WI' + 'P'].join('|')})\\b`,
);

for (const rule of rules) {
  test(`tidy: ${rule.title}`, async (t) => {
    for (const [path, text] of Object.entries(rule.broken)) {
      t.not(rule.find(parse(path, text)).length, 0, `the rule overlooks ${path}:\n${text}`);
    }
    const violations = (await projectFiles()).flatMap((file) =>
      rule.find(file).map(({ line, what }) => `${file.path}:${line}: ${what}`),
    );
    t.is(violations.length, 0, violations.join('\n'));
  });
}

test('tidy: whoever may end the process does so, or is off the list', async (t) => {
  const files = new Map((await projectFiles()).map((file) => [file.path, file]));
  for (const path of mayExit.keys()) {
    const file = files.get(path);
    t.true(file !== undefined && nodesOf(file, endsProcess).length > 0, path);
  }
});

let files: Promise<SourceText[]> | undefined;

function projectFiles(): Promise<SourceText[]> {
  files ??= readProject();
  return files;
}

async function readProject(): Promise<SourceText[]> {
  const paths = await Promise.all([...layers, 'test'].map(pathsUnder));
  const code = paths.flat().filter((path) => /\.[cm]?[jt]s$/.test(path));
  return Promise.all(
    code.map(async (path) => parse(path, await readFile(join(root, path), 'utf8'))),
  );
}

async function pathsUnder(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const paths = await Promise.all(
    entries
      .filter((entry) => !entry.name.startsWith('.') && entry.name !== 'node_modules')
      .map(async (entry) => {
        const path = `${folder}/${entry.name}`;
        return entry.isDirectory() ? await pathsUnder(path) : [path];
      }),
  );
  return paths.flat().sort();
}

function parse(path: string, text: string): SourceText {
  return { path, text, syntax: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

function layerOf(path: string): string {
  return path.split('/')[0] ?? '';
}

function isSource(path: string): boolean {
  return layers.includes(layerOf(path));
}

function at({ syntax }: SourceText, node: ts.Node, what: string): Violation {
  return { line: syntax.getLineAndCharacterOfPosition(node.getStart()).line + 1, what };
}

function linesWith(text: string, pattern: RegExp): Violation[] {
  return text.split('\n').flatMap((line, index) => {
    const found = pattern.exec(line)?.[0];
    return found === undefined ? [] : [{ line: index + 1, what: found }];
  });
}

/** Nodes of a file that meet a condition, in order. */
function nodesOf({ syntax }: SourceText, wanted: (node: ts.Node) => boolean): ts.Node[] {
  const found: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    if (wanted(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(syntax);
  return found;
}

/** What a file imports in any way: statements, re-exports, `import()` of values and of types. */
function importsOf(file: SourceText): { line: number; specifier: string }[] {
  return nodesOf(file, (node) => specifierOf(node) !== undefined).map((node) => ({
    line: at(file, node, '').line,
    specifier: specifierOf(node) ?? '',
  }));
}

function specifierOf(node: ts.Node): string | undefined {
  const named =
    ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? node.arguments[0]
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : undefined;
  return named !== undefined && ts.isStringLiteralLike(named) ? named.text : undefined;
}

/** Imports of a package by a layer that may not; tests may import what they test. */
function importsFromOutside(
  file: SourceText,
  rule: { readonly packages: RegExp; readonly in: string },
): Violation[] {
  if (!isSource(file.path) || layerOf(file.path) === rule.in) return [];
  return importsOf(file)
    .filter(({ specifier }) => rule.packages.test(specifier))
    .map(({ line, specifier }) => ({ line, what: `imports ${specifier}` }));
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true;
  if (ts.isExportSpecifier(node)) return node.name.text === 'default';
  return hasModifier(node, ts.SyntaxKind.DefaultKeyword);
}

function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return ts.canHaveModifiers(node) && node.modifiers?.some((each) => each.kind === kind) === true;
}

const comparisons = new Set<ts.SyntaxKind>([
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);
const searches = new Set(['includes', 'startsWith', 'endsWith', 'match', 'search', 'indexOf']);

function readsMessageText(node: ts.Node): boolean {
  if (ts.isBinaryExpression(node)) {
    return comparisons.has(node.operatorToken.kind) && [node.left, node.right].some(isMessage);
  }
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { expression: receiver, name } = node.expression;
  if (searches.has(name.text)) return isMessage(receiver);
  return ['test', 'exec'].includes(name.text) && node.arguments.some(isMessage);
}

function isMessage(node: ts.Node): boolean {
  return ts.isPropertyAccessExpression(node) && node.name.text === 'message';
}

function endsProcess(node: ts.Node): boolean {
  return (
    ts.isPropertyAccessExpression(node) &&
    node.expression.getText() === 'process' &&
    ['exit', 'exitCode', 'abort', 'reallyExit'].includes(node.name.text)
  );
}

/** Functions and classes; a type of a few fields often says all with its name. */
function isDocumentable(node: ts.Statement): boolean {
  if (!hasModifier(node, ts.SyntaxKind.ExportKeyword)) return false;
  if (ts.isFunctionDeclaration(node)) return node.body !== undefined;
  if (ts.isClassDeclaration(node)) return true;
  return ts.isVariableStatement(node) && node.declarationList.declarations.some(isFunctionConstant);
}

/** The class that a module is about is described by the module's header. */
function isDocumented({ text }: SourceText, node: ts.Statement): boolean {
  const own = ts.getJSDocCommentsAndTags(node).length > 0;
  return own || (ts.isClassDeclaration(node) && text.startsWith('/**'));
}

function isFunctionConstant({ initializer }: ts.VariableDeclaration): boolean {
  return (
    initializer !== undefined &&
    (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer))
  );
}

function inherits(node: ts.Node): boolean {
  return (
    ts.isHeritageClause(node) &&
    node.token === ts.SyntaxKind.ExtendsKeyword &&
    ts.isClassLike(node.parent) &&
    !node.types.every((each) => /(?:Error|Command)$/.test(each.expression.getText()))
  );
}
