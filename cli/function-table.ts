/**
 * The table of a bundle's functions that workers find by name: what `map`, `reduce` and `derive` are given.
 *
 * It is one more statement on the line of the bundle's banner, so no other line moves and the source map stays right; and it runs
 * before the jugfile does, so its functions are wrapped in getters, which say nothing while a constant is not there yet.
 *
 * A function of an installed package gives way to the user's own of the same name: an update of a package, which nobody
 * has read, must not break a plan.
 */
import { TraceMap } from '@jridgewell/trace-mapping';
import { parse } from 'acorn';
import { functionTableSymbol } from '../core/jugfile-api.ts';
import { jugfileSourcePath } from '../core/stack.ts';
import { isPackagePath, placeBanner } from './bundle-place.ts';
import { isNode, type SyntaxNode } from './function-ranges.ts';
import { positionFinder } from './source-position.ts';

/** Names of the API that take functions by name; a bundle without them needs no table. */
export const functionTakers: readonly string[] = [
  'map',
  'starMap',
  'reduce',
  'mapReduce',
  'derive',
];

/**
 * Adds the table to a bundle.
 *
 * @param code - as esbuild made it, with `keepNames` and jugq's banner
 */
export function withFunctionTable(
  code: string,
  {
    uses,
    map,
  }: {
    /** The names of the API that it imports. */
    readonly uses: readonly string[];
    /** Its source map as JSON. */
    readonly map: string;
  },
): string {
  if (!uses.some((name) => functionTakers.includes(name))) return code;
  const entries = withoutOvershadowed(code, map).map(
    ({ name, binding }) => `[${JSON.stringify(name)}, () => ${binding}]`,
  );
  // Behind the banner, and not at the end of the first line: that may be a jugfile's `#!`.
  const end = code.indexOf(placeBanner) + placeBanner.length;
  const symbol = JSON.stringify(Symbol.keyFor(functionTableSymbol));
  const statement = ` globalThis[Symbol.for(${symbol})]?.([${entries.join(', ')}]);`;
  return code.slice(0, end) + statement + code.slice(end);
}

interface TopFunction {
  /** What `fn.name` is. */
  readonly name: string;
  readonly binding: string;
  /** Where the statement begins that makes it. */
  readonly at: number;
}

/** All but the functions of packages that have the name of one of the user's. */
function withoutOvershadowed(code: string, map: string): TopFunction[] {
  const positionOf = positionFinder(code, new TraceMap(map));
  const isOfPackage = ({ at }: TopFunction): boolean => {
    const source = positionOf(at)?.source;
    const path = source === undefined ? undefined : jugfileSourcePath(source);
    return path !== undefined && isPackagePath(path);
  };
  const all = topFunctions(code).map((each) => ({ each, isOfPackage: isOfPackage(each) }));
  const own = new Set(all.flatMap(({ each, isOfPackage }) => (isOfPackage ? [] : each.name)));
  return all.flatMap(({ each, isOfPackage }) => (isOfPackage && own.has(each.name) ? [] : each));
}

/** The functions that are bound at the top level, in the order of the text. */
function topFunctions(code: string): TopFunction[] {
  const program: unknown = parse(code, { sourceType: 'module', ecmaVersion: 'latest' });
  const statements = isNode(program) ? listOf(program['body']) : [];
  const bound = new Set(statements.flatMap(bindingsIn));
  const found = new Map<string, TopFunction>();
  for (const statement of statements.flatMap((each) => [each, ...bodyOfLazyModule(each)])) {
    for (const { name, binding } of functionsIn(statement)) {
      // What names it stands behind it, and is in no source.
      const at = found.get(binding)?.at ?? statement.start;
      if (bound.has(binding)) found.set(binding, { name, binding, at });
    }
  }
  return [...found.values()];
}

function bindingsIn(statement: SyntaxNode): string[] {
  if (statement.type === 'FunctionDeclaration') return nameOf(statement['id']);
  if (statement.type !== 'VariableDeclaration') return [];
  return listOf(statement['declarations']).flatMap((each) => nameOf(each['id']));
}

/** What a statement binds to functions. esbuild says by `__name(…)` what a function is called that it renamed. */
function functionsIn(statement: SyntaxNode): Omit<TopFunction, 'at'>[] {
  switch (statement.type) {
    case 'FunctionDeclaration':
      return nameOf(statement['id']).map((name) => ({ name, binding: name }));
    case 'VariableDeclaration':
      return listOf(statement['declarations']).flatMap((each) => bound(each['id'], each['init']));
    case 'ExpressionStatement': {
      const { expression } = statement;
      if (!isNode(expression)) return [];
      if (expression.type === 'AssignmentExpression')
        return bound(expression['left'], expression['right']);
      const named = namedIn(expression);
      return named === undefined
        ? []
        : nameOf(named.target).map((binding) => ({ name: named.name, binding }));
    }
    default:
      return [];
  }
}

function bound(target: unknown, value: unknown): Omit<TopFunction, 'at'>[] {
  const named = namedIn(value);
  const isPlain = isNode(value) && isFunction(value);
  if (!isPlain && !(named !== undefined && isNode(named.target) && isFunction(named.target)))
    return [];
  return nameOf(target).map((binding) => ({ name: named?.name ?? binding, binding }));
}

/** `__name(target, "name")`. */
function namedIn(value: unknown): { readonly target: unknown; readonly name: string } | undefined {
  if (!isNode(value) || value.type !== 'CallExpression') return undefined;
  const [target, name] = listOf(value['arguments']);
  const text = name?.['value'];
  return nameOf(value['callee'])[0] === '__name' && typeof text === 'string'
    ? { target, name: text }
    : undefined;
}

/** A module that is imported by `import()` becomes `var init = __esm({ "file"() { … } })`; its bindings are at the top. */
function bodyOfLazyModule(statement: SyntaxNode): SyntaxNode[] {
  if (statement.type !== 'VariableDeclaration') return [];
  return listOf(statement['declarations']).flatMap(({ init }) => {
    if (!isNode(init) || init.type !== 'CallExpression') return [];
    if (nameOf(init['callee'])[0] !== '__esm') return [];
    const [modules] = listOf(init['arguments']);
    return listOf(modules?.['properties']).flatMap(({ value }) =>
      isNode(value) && isNode(value['body']) ? listOf(value['body']['body']) : [],
    );
  });
}

function isFunction({ type }: SyntaxNode): boolean {
  return type === 'FunctionExpression' || type === 'ArrowFunctionExpression';
}

function nameOf(node: unknown): string[] {
  const name = isNode(node) && node.type === 'Identifier' ? node['name'] : undefined;
  return typeof name === 'string' ? [name] : [];
}

function listOf(nodes: unknown): SyntaxNode[] {
  return Array.isArray(nodes) ? nodes.filter(isNode) : [];
}
