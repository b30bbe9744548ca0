/** What `jugq` is inside a bundle: a module without code of its own, which hands on the API of the thread. */
import type { Plugin } from 'esbuild';
import { jugfileApiNames, jugfileApiSymbol } from '../core/jugfile-api.ts';

/** What programs import from `jugq` and jugfiles cannot have: it would connect a task thread to the server. */
const programNames: Readonly<Record<string, string>> = {
  connect: 'programs, not for jugfiles: call it in a program that loads the jugfile',
  on: 'modules that the setting hooks names, not for jugfiles: put it into such a module',
};

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
    `const jugqAbsent = (message) => () => { throw new Error(message); };`,
    `const ${importer} = (name, message) => api[name] ?? jugqAbsent(message);`,
    ...jugfileApiNames.map((name) => exportLine(name, importCall(name))),
    ...Object.entries(programNames).map(([name, whom]) =>
      exportLine(name, programCall(name, whom)),
    ),
  ].join('\n');
}

/** Its calls have no effect that a bundle without their results would miss, so they are there only where they are used. */
const importer = 'jugqImport';

/** The names of the API that a bundle uses. */
export function importedNames(code: string): string[] {
  const calls = new RegExp(`^(?:var|const) .* = .*\\b${importer}\\("(\\w+)",`, 'gm');
  return [...code.matchAll(calls)].flatMap(([, name]) => name ?? []);
}

const outsideMessage =
  'a bundled jugfile was loaded outside jugq: it runs only in a thread that jugq has prepared: use jugq run, jugq plan, or load() of a connection';

function exportLine(name: string, expression: string): string {
  return `export const ${name} = ${expression};`;
}

function importCall(name: string): string {
  const message = `${name}() is not part of this version of jugq: called by a jugfile: use the same version of jugq for planning and for workers`;
  return `/* @__PURE__ */ ${importer}(${JSON.stringify(name)}, ${JSON.stringify(message)})`;
}

function programCall(name: string, whom: string): string {
  const message = `${name}() is for ${whom}`;
  return `/* @__PURE__ */ jugqAbsent(${JSON.stringify(message)})`;
}
