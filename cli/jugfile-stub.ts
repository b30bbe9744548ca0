/** What `jugq` is inside a bundle: a module without code of its own, which hands on the API of the thread. */
import type { Plugin } from 'esbuild';
import { jugfileApiNames, jugfileApiSymbol } from '../core/jugfile-api.ts';

/** What programs import from `jugq` and jugfiles cannot have: it would connect a task thread to the server. */
const programNames = ['connect'];

/** Namespace of the stub: its frames are nobody's business, see `generatedScheme` in core/stack.ts. */
const namespace = 'jugq';

/** esbuild plugin that resolves `jugq`, wherever it is imported, to the stub. */
export const jugfileStubPlugin: Plugin = {
  name: 'jugfile-stub',
  setup(build) {
    build.onResolve({ filter: /^jugq$/ }, () => ({ path: 'jugfile-api', namespace }));
    build.onLoad({ filter: /.*/, namespace }, () => ({ contents: stubSource(), loader: 'js' }));
  },
};

/**
 * Source of the stub.
 *
 * A name that the thread's API lacks is exported all the same, and fails when it is called: a jugfile written for a newer
 * jugq then fails at the call, by name, and not while it is loaded.
 */
export function stubSource(): string {
  const symbol = JSON.stringify(Symbol.keyFor(jugfileApiSymbol));
  return [
    `const api = globalThis[Symbol.for(${symbol})];`,
    `if (api === undefined) throw new Error(${JSON.stringify(outsideMessage)});`,
    `const absent = (message) => () => { throw new Error(message); };`,
    ...jugfileApiNames.map((name) => exportLine(name, `api.${name} ?? ${absentCall(name)}`)),
    ...programNames.map((name) => exportLine(name, programCall(name))),
  ].join('\n');
}

const outsideMessage =
  'a bundled jugfile was loaded outside jugq: it runs only in a thread that jugq has prepared: use jugq run, jugq plan, or load() of a connection';

function exportLine(name: string, expression: string): string {
  return `export const ${name} = ${expression};`;
}

function absentCall(name: string): string {
  return `absent(${JSON.stringify(`${name}() is not part of this version of jugq: called by a jugfile: use the same version of jugq for planning and for workers`)})`;
}

function programCall(name: string): string {
  return `absent(${JSON.stringify(`${name}() is for programs, not for jugfiles: call it in a program that loads the jugfile`)})`;
}
