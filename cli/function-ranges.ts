/** Where the functions of a JavaScript module stand, as `toString()` cuts them out. */
import { parse, type Options, type Token } from 'acorn';

/** A function's text: from `start` up to, not including, `end`. */
export interface FunctionRange {
  readonly start: number;
  readonly end: number;
}

/** A parsed module. */
export interface ParsedFunctions {
  /** Outer functions before those inside them. */
  readonly ranges: readonly FunctionRange[];
  /** The tokens in a range, one a line: the text without comments and layout. */
  readonly tokensIn: (range: FunctionRange) => string;
}

/** The functions of a module or script, methods and accessors included; none if it does not parse. */
export function parseFunctions(code: string): ParsedFunctions {
  const parsed = parseAs('module', code) ?? parseAs('script', code);
  if (parsed === undefined) return { ranges: [], tokensIn: () => '' };
  const { program, tokens } = parsed;
  const ranges = functionNodes(program).map(({ node, isStatic }) => {
    const first = firstAt(tokens, node.start) + (isStatic ? 1 : 0);
    return { start: tokens[first]?.start ?? node.start, end: node.end };
  });
  return {
    ranges: ranges.sort((left, right) => left.start - right.start || right.end - left.end),
    tokensIn: ({ start, end }) =>
      tokens
        .slice(firstAt(tokens, start), firstAt(tokens, end))
        .map((token) => code.slice(token.start, token.end))
        .join('\n'),
  };
}

interface Parsed {
  readonly program: SyntaxNode;
  readonly tokens: readonly Token[];
}

function parseAs(sourceType: NonNullable<Options['sourceType']>, code: string): Parsed | undefined {
  const tokens: Token[] = [];
  try {
    const program: unknown = parse(code, {
      sourceType,
      ecmaVersion: 'latest',
      allowReturnOutsideFunction: true,
      allowHashBang: true,
      onToken: tokens,
    });
    return isNode(program) ? { program, tokens } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A node of a syntax tree, whose children are looked at one by one. */
export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}

const functionTypes = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
]);

/** A list and no recursion: sums of thousands of strings are as deep as they are long. */
function functionNodes(program: SyntaxNode): { node: SyntaxNode; isStatic: boolean }[] {
  const found: { node: SyntaxNode; isStatic: boolean }[] = [];
  const methodValues = new Set<unknown>();
  const open: unknown[] = [program];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (Array.isArray(next)) pushObjects(open, next);
    if (!isNode(next)) continue;
    if (isMethod(next)) {
      found.push({ node: next, isStatic: next['static'] === true });
      methodValues.add(next['value']);
    } else if (functionTypes.has(next.type) && !methodValues.has(next)) {
      found.push({ node: next, isStatic: false });
    }
    pushObjects(open, Object.values(next));
  }
  return found;
}

/** One by one: a table of data has more items than a call takes arguments. */
function pushObjects(open: unknown[], children: readonly unknown[]): void {
  for (const child of children) if (typeof child === 'object') open.push(child);
}

/** Its function starts at the parameters; `toString()` starts at the name, or at `async`, `get` or `*` before it. */
function isMethod(node: SyntaxNode): boolean {
  if (node.type === 'MethodDefinition') return true;
  return node.type === 'Property' && (node['method'] === true || node['kind'] !== 'init');
}

/** Whether a child of a node is itself one. */
export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

/** Index of the first token that starts at `offset` or after it. */
function firstAt(tokens: readonly Token[], offset: number): number {
  let low = 0;
  let high = tokens.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tokens[middle]?.start ?? Infinity) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
